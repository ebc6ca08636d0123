-- train_positives: the positives of the questions that train. Grain: one row per (query_key, passage_key).
-- Of labelled train questions and, with $augmented, of unlabeled ones the pseudo-labels among $runs by $cutoffs.
-- place: from 0, in an order drawn by hash; size: how many the question has.
create or replace temp table train_positives as
with every as (
    select positives.query_key, positives.passage_key
    from positives
    inner join training_queries on training_queries.query_key = positives.query_key
    where training_queries.split = 'train'
    union
    select query_key, passage_key
    from pseudo_labels
    where $augmented and cutoffs = $cutoffs and list_contains($runs, run_id)
)
select
    every.query_key,
    queries.query_id,
    every.passage_key,
    row_number() over (
        partition by every.query_key order by draw($seed, queries.query_id, passages.passage_id), every.passage_key
    ) - 1 as place,
    count(*) over (partition by every.query_key) as size,
from every
inner join queries on queries.query_key = every.query_key
inner join passages on passages.passage_key = every.passage_key;
