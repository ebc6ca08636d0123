-- passages: the passages of a block with evidence and text, as export_passages. Grain: one row per (query_key, passage_key).
-- label is 1 for a positive and 0 for a negative. place counts a query's passages from 1, positives first.
create or replace temp table export_passages as
with listed as (
    select query_key, passage_key, 1 as label, place, positive_source, probability, repeated from export_positives
    union all
    select query_key, passage_key, 0, place, null, probability, false from export_negatives
),
chosen as (
    select
        * exclude (place),
        row_number() over (partition by query_key order by label desc, place) as place,
    from listed
)
select
    chosen.query_key,
    chosen.label,
    chosen.place,
    passages.passage_id,
    passages.title,
    passages.text,
    chosen.positive_source,
    chosen.probability,
    chosen.repeated,
    export_sources.negative_source,
from chosen
inner join passages on passages.passage_key = chosen.passage_key
left join export_sources
    on chosen.label = 0
    and export_sources.query_key = chosen.query_key
    and export_sources.passage_key = chosen.passage_key;
