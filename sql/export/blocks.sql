-- blocks: ranges of query keys, each with up to $size queries that are eligible for the set. Grain: one row per block.
-- A query is eligible if it has a positive or, with $augmented, if it has no labels and one of the runs has
-- candidates for it. The ranges leave no gap, so the figures cover every query of the runs.
with eligible as (
    select training_queries.query_key
    from training_queries
    semi join positives on positives.query_key = training_queries.query_key
    union
    select training_queries.query_key
    from training_queries
    semi join (select query_key from candidates where list_contains($runs, run_id)) as mined
        on mined.query_key = training_queries.query_key
    where $augmented and training_queries.split = 'unlabeled'
),
numbered as (
    select query_key, (row_number() over (order by query_key) - 1) // $size as block from eligible
),
blocks as (
    select block, min(query_key) as first, count(*) as items from numbered group by block
)
select
    if(block = 0, 0, first) as first,
    coalesce(lead(first) over (order by block) - 1, $last_key) as last,
    items,
from blocks
order by block;
