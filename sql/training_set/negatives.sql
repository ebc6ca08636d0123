-- training_negatives: the hard negatives that a training set draws from. Grain: one row per (query_key, passage_key).
-- They are the hard negatives of found_pairs at ranks up to $depth, for queries with a positive. Of passages with
-- equal texts only one is kept. None has the text of a positive, or of a passage that the scorer holds relevant
-- for the query.
-- With $denoised false, for comparison only, they are all candidates of $runs up to $depth that nobody labelled and
-- that are no duplicate.
-- This costs RocketQA 7 points of MRR@10 (NAACL 2021, table 3).
-- place: 0, 1, ... first those that people judged not relevant, each part in an order drawn by hash of $seed and the
-- ids. To get N negatives, take the first N.
create or replace temp table training_negatives as
with relevant as (
    select query_key, text_hash from training_positives
    union
    select found_pairs.query_key, passages.text_hash
    from found_pairs
    inner join passages on passages.passage_key = found_pairs.passage_key
    where $denoised and found_pairs.decision in ('false_negative', 'pseudo_positive')
),
pool as (
    select query_key, passage_key, probability
    from found_pairs
    where $denoised and decision = 'hard_negative' and rank <= $depth
    union all
    select distinct query_key, passage_key, null
    from candidates
    anti join duplicates using (query_key, passage_key)
    where
        not $denoised
        and list_contains($runs, run_id)
        and rank <= $depth
        and query_key between $first and $last
),
asked as (
    select distinct query_key, query_id from training_positives
),
safe as (
    select
        pool.query_key,
        pool.passage_key,
        pool.probability,
        passages.text_hash,
        judgements.query_key is null as is_guess,
        draw($seed, asked.query_id, passages.passage_id) as draw,
    from pool
    inner join asked on asked.query_key = pool.query_key
    inner join passages on passages.passage_key = pool.passage_key
    left join judgements
        on judgements.query_key = pool.query_key
        and judgements.passage_key = pool.passage_key
        and not judgements.relevant
),
different as (
    select safe.query_key, safe.passage_key, safe.probability, safe.is_guess, safe.draw
    from safe
    anti join relevant on relevant.query_key = safe.query_key and relevant.text_hash = safe.text_hash
    qualify row_number() over (
        partition by safe.query_key, safe.text_hash order by safe.is_guess, safe.draw, safe.passage_key
    ) = 1
)
select
    query_key,
    passage_key,
    probability,
    row_number() over (partition by query_key order by is_guess, draw, passage_key) - 1 as place,
from different;
