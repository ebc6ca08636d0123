-- soft_labels: the uncertain candidates that a dual-encoder may train on, as soft_labels. Grain: one row per (query_key, passage_key).
-- They are the uncertain pairs of found_pairs, of queries with a positive: a query about which nothing is sure does
-- not train. probability: as in the decisions. A text that the query has under another decision is
-- left out, and of several uncertain passages with equal texts one is kept. With $uncertain 0 there are none.
-- place: 0, 1, ... in an order drawn by hash of $seed and the ids.
create or replace temp table soft_labels as
with asked as (
    select distinct query_key, query_id from training_positives where $uncertain > 0
),
texts as (
    select found_pairs.query_key, found_pairs.passage_key, found_pairs.probability, found_pairs.decision, passages.text_hash
    from found_pairs
    semi join asked on asked.query_key = found_pairs.query_key
    inner join passages on passages.passage_key = found_pairs.passage_key
),
decided as (
    select query_key, text_hash from training_positives
    union
    select query_key, text_hash from texts where decision not in ('uncertain', 'unscored')
),
different as (
    select
        texts.query_key,
        texts.passage_key,
        texts.text_hash,
        texts.probability,
        draw($seed, asked.query_id, passages.passage_id) as draw,
    from texts
    inner join asked on asked.query_key = texts.query_key
    inner join passages on passages.passage_key = texts.passage_key
    anti join decided on decided.query_key = texts.query_key and decided.text_hash = texts.text_hash
    where texts.decision = 'uncertain'
    qualify row_number() over (partition by texts.query_key, texts.text_hash order by draw, texts.passage_key) = 1
)
select
    query_key,
    passage_key,
    text_hash,
    probability,
    row_number() over (partition by query_key order by draw, passage_key) - 1 as place,
from different;
