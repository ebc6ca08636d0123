-- positives: up to $positives (null: all) of each query's training_positives, as export_positives. Grain: one row per (query_key, passage_key).
-- Which ones stay is drawn by hash of $seed and the ids: those of people first, then promoted ones, then pseudo-labels.
-- What is left out is still a positive, so it never becomes a negative.
create or replace temp table export_positives as
select *
from training_positives
qualify
    $positives is null
    or row_number() over (
        partition by query_key
        order by
            repeated,
            list_position(['promoted', 'pseudo'], positive_source) nulls first,
            draw($seed, query_id, passage_id),
            passage_key
    ) <= $positives;
