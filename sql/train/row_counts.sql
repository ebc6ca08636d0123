-- row_counts: how many queries a dual-encoder is trained on, and how many lack hard negatives. Grain: one row.
-- short: queries with fewer than $hard_negatives hard negatives. without: those of them that have none. soft: queries
-- with a soft label.
with per_query as (
    select asked.query_key, asked.is_pseudo_labelled, count(found.passage_key) as negatives,
    from (
        select query_key, bool_or(positive_source = 'pseudo') as is_pseudo_labelled
        from training_positives
        group by query_key
    ) as asked
    left join training_negatives as found on found.query_key = asked.query_key
    group by asked.query_key, asked.is_pseudo_labelled
)
select
    count(*) as queries,
    count(*) filter (where is_pseudo_labelled) as pseudo_labelled,
    count(*) filter (where negatives < $hard_negatives) as short,
    count(*) filter (where negatives = 0 and $hard_negatives > 0) as without,
    count(*) filter (where query_key in (select query_key from soft_labels)) as soft,
from per_query;
