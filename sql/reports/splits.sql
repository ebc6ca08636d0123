-- splits: the queries and labels of each split. Grain: one row per split (train, dev, test, unlabeled).
-- labelled: queries with a positive. judged: pairs in qrels and annotations. positives: those of them that are
-- relevant.
-- Example: curate sql splits
with per_query as (
    select query_key, count(*) as judged, count(*) filter (where relevant) as positives
    from judgements
    group by query_key
)
select
    queries.split,
    count(*) as queries,
    count(*) filter (where per_query.positives > 0) as labelled,
    coalesce(sum(per_query.judged), 0)::bigint as judged,
    coalesce(sum(per_query.positives), 0)::bigint as positives,
from queries
left join per_query on per_query.query_key = queries.query_key
group by queries.split
order by array_position(['train', 'dev', 'test', 'unlabeled'], queries.split), queries.split;
