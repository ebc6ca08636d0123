-- export_negatives: up to $negatives hard negatives a question, drawn by hash. Grain: one row per (query_key, passage_key).
-- Never a text that is also a positive's, or that of a passage which the cross-encoder holds relevant.
create or replace temp table export_negatives as
with relevant as (
    select query_key, text_hash from export_positives
    union
    select export_found.query_key, passages.text_hash
    from export_found
    inner join passages on passages.passage_key = export_found.passage_key
    where export_found.decision in ('false_negative', 'pseudo_positive')
),
safe as (
    select
        export_found.query_key,
        export_found.passage_key,
        export_found.probability,
        passages.text_hash,
        draw($seed, export_queries.query_id, passages.passage_id) as draw,
    from export_found
    semi join export_positives on export_positives.query_key = export_found.query_key
    inner join export_queries on export_queries.query_key = export_found.query_key
    inner join passages on passages.passage_key = export_found.passage_key
    where export_found.decision = 'hard_negative'
),
different as (
    select safe.query_key, safe.passage_key, safe.probability, safe.draw
    from safe
    anti join relevant on relevant.query_key = safe.query_key and relevant.text_hash = safe.text_hash
    qualify row_number() over (
        partition by safe.query_key, safe.text_hash order by safe.draw, safe.passage_key
    ) = 1
)
select
    query_key,
    passage_key,
    probability,
    row_number() over (partition by query_key order by draw, passage_key) as place,
from different
qualify place <= $negatives;
