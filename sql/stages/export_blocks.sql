-- export_blocks: ranges of query keys with $size questions each. Grain: one row per block.
-- A labelled question takes part if it has a positive, an unlabeled one if one of the runs looked for it.
with eligible as (
    select training_queries.query_key
    from training_queries
    semi join positives on positives.query_key = training_queries.query_key
    where training_queries.split = 'train'
    union
    select training_queries.query_key
    from training_queries
    semi join (select query_key from candidates where list_contains($runs, run_id)) as mined
        on mined.query_key = training_queries.query_key
    where $augmented and training_queries.split = 'unlabeled'
),
numbered as (
    select query_key, (row_number() over (order by query_key) - 1) // $size as block from eligible
)
select min(query_key) as first, max(query_key) as last, count(*) as items
from numbered
group by block
order by block;
