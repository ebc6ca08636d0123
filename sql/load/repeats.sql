-- repeats: rows of the current load whose id occurred before. Grain: one row per repeated row.
-- The first row of an id is kept. Texts are read only for ids that occur more than once.
create or replace temp table repeats as
with shared as (
    select id from by_id group by id having count(*) > 1
),
occurrences as (
    select
        by_id.*,
        first_value(key) over of_id as first_key,
        content = first_value(content) over of_id as same,
    from by_id
    semi join shared on shared.id = by_id.id
    window of_id as (partition by by_id.id order by key)
)
select key, id, split, text_hash, beginning, reason, first_key, same from occurrences where key <> first_key;
