-- training_positives: the positives of a training set. Grain: one row per (query_key, passage_key).
-- They belong to queries that may be used for training (views/training_queries.sql), and come from these sources:
--   qrels, annotation  passages that people judged relevant
--   promoted           with $promote, the false negatives in found_pairs
--   pseudo             with $augmented, for a query without labels: the best pseudo-positive over all runs together,
--                      or all of them if the cutoffs say so (macros/pseudo_label_place.sql)
-- place: 1, 2, ... in this order. repeated: an earlier positive of the query has the same text.
-- Parameters: $cutoffs, $promote, $augmented, and the range of query keys from $first to $last.
create or replace temp table training_positives as
with asked as (
    select query_key, query_id, split from training_queries where query_key between $first and $last
),
pseudo as (
    select found_pairs.query_key, found_pairs.passage_key
    from found_pairs
    inner join asked on asked.query_key = found_pairs.query_key
    inner join cutoffs on cutoffs.name = $cutoffs
    where $augmented and asked.split = 'unlabeled' and found_pairs.decision = 'pseudo_positive'
    qualify
        cutoffs.pseudo_positives = 'all'
        or pseudo_label_place(
            found_pairs.query_key, found_pairs.probability, found_pairs.rank, found_pairs.passage_key
        ) = 1
),
every as (
    select query_key, passage_key, source as positive_source, 0 as precedence
    from judgements
    where relevant and query_key between $first and $last
    union all
    select query_key, passage_key, 'promoted', 1 from found_pairs where $promote and decision = 'false_negative'
    union all
    select query_key, passage_key, 'pseudo', 2 from pseudo
)
select
    every.query_key,
    asked.query_id,
    asked.split,
    every.passage_key,
    passages.passage_id,
    passages.text_hash,
    every.positive_source,
    scored.probability,
    row_number() over (partition by every.query_key order by every.precedence, every.passage_key) as place,
    row_number() over (
        partition by every.query_key, passages.text_hash order by every.precedence, every.passage_key
    ) > 1 as repeated,
from every
inner join asked on asked.query_key = every.query_key
inner join passages on passages.passage_key = every.passage_key
left join (
    select query_key, passage_key, probability
    from probabilities
    where cutoffs = $cutoffs and query_key between $first and $last
) as scored
    on scored.query_key = every.query_key and scored.passage_key = every.passage_key;
