-- queries: the measures of a run against the qrels of its split. Grain: one row per (metric, query_key).
-- The rules are those of trec_eval -c. Every judged query counts, with 0 if the run has nothing for it. Passages
-- without a label are not relevant. Ties stay in the order of the run. Recall@k goes only down to the run's depth.
-- Parameters: $run.
with the_run as (
    select split, (select max(rank) from candidates where run_id = $run) as depth from runs where run_id = $run
),
judged as (
    select qrels.query_key, qrels.passage_key, max(greatest(qrels.relevance, 0)) as gain
    from qrels
    inner join queries on queries.query_key = qrels.query_key
    where queries.split = (select split from the_run)
    group by qrels.query_key, qrels.passage_key
),
ideal as (
    select
        query_key,
        count(*) filter (where gain > 0) as relevant,
        sum(gain / log2(place + 1) order by place) filter (where place <= 10) as gain_at_10,
    from (
        select query_key, gain, row_number() over (partition by query_key order by gain desc, passage_key) as place
        from judged
    ) as sorted
    group by query_key
),
found as (
    select
        judged.query_key,
        judged.gain,
        candidates.rank,
        row_number() over (partition by judged.query_key order by candidates.rank) as place,
    from candidates
    inner join judged
        on judged.query_key = candidates.query_key and judged.passage_key = candidates.passage_key
    where candidates.run_id = $run and judged.gain > 0
),
per_query as (
    select
        ideal.query_key,
        ideal.relevant,
        ideal.gain_at_10 as ideal_gain,
        min(found.rank) as first_rank,
        sum(found.gain / log2(found.rank + 1) order by found.rank) filter (where found.rank <= 10) as gain_at_10,
        sum(found.place / found.rank order by found.rank) as precisions,
        list(found.rank) filter (where found.rank is not null) as ranks,
    from ideal
    left join found on found.query_key = ideal.query_key
    group by ideal.query_key, ideal.relevant, ideal.gain_at_10
),
measured as (
    select query_key, 'MRR@10' as metric, 1 as place, if(first_rank <= 10, 1 / first_rank, 0) as value from per_query
    union all
    select query_key, 'nDCG@10', 2, gain_at_10 / nullif(ideal_gain, 0) from per_query
    union all
    select query_key, 'MAP', 3, precisions / nullif(relevant, 0) from per_query
    union all
    select
        per_query.query_key,
        concat('Recall@', cut.k),
        3 + cut.k,
        len(list_filter(per_query.ranks, lambda r: r <= cut.k)) / nullif(per_query.relevant, 0),
    from per_query
    cross join (values (5), (10), (20), (50), (100), (1000)) as cut (k)
    where cut.k <= (select depth from the_run)
)
select $run as run_id, metric, query_key::integer as query_key, coalesce(value, 0)::double as value
from measured
order by place, query_key;
