-- train_hard_negatives: what a question may be trained against. Grain: one row per (query_key, passage_key).
-- $denoised: only hard_negative ones, and no text that is a positive's or held relevant. Else whatever $runs found down
-- to $depth and nobody labelled, as others mine it: what costs RocketQA 7 points of MRR@10 (NAACL 2021, table 3).
-- place: from 0, in an order drawn by hash; size: how many the question has.
create or replace temp table train_hard_negatives as
with relevant as (
    select train_positives.query_key, passages.text_hash
    from train_positives
    inner join passages on passages.passage_key = train_positives.passage_key
    union
    select train_found.query_key, passages.text_hash
    from train_found
    inner join passages on passages.passage_key = train_found.passage_key
    where $denoised and train_found.decision in ('false_negative', 'pseudo_positive')
),
pool as (
    select query_key, passage_key from train_found
    where $denoised and decision = 'hard_negative' and rank <= $depth
    union
    select query_key, passage_key from candidates where not $denoised and list_contains($runs, run_id) and rank <= $depth
),
safe as (
    select pool.query_key, pool.passage_key, questions.query_id, passages.passage_id
    from pool
    inner join (select distinct query_key, query_id from train_positives) as questions
        on questions.query_key = pool.query_key
    inner join passages on passages.passage_key = pool.passage_key
    anti join relevant on relevant.query_key = pool.query_key and relevant.text_hash = passages.text_hash
)
select
    query_key,
    passage_key,
    row_number() over (partition by query_key order by draw($seed, query_id, passage_id), passage_key) - 1 as place,
    count(*) over (partition by query_key) as size,
from safe;
