-- pairs_to_compare: the pairs of a positive and a candidate that nobody has compared yet, as pairs_to_compare. Grain: one row per (positive_key, passage_key).
-- Several queries may have a pair, in this run or in others; it is compared once. Exact copies need no comparison.
-- block: the shard, of $size pairs, that will have the result.
create or replace temp table pairs_to_compare as
with wanted as (
    select distinct uncompared.positive_key, candidates.passage_key
    from uncompared
    inner join candidates
        on candidates.run_id = $run
        and candidates.query_key = uncompared.query_key
        and candidates."rank" > uncompared.compared_depth
        and candidates."rank" <= $depth
    where candidates.passage_key <> uncompared.positive_key
),
known as (
    select compared.positive_key, candidates.passage_key
    from compared
    semi join uncompared on uncompared.positive_key = compared.positive_key
    inner join candidates
        on candidates.run_id = compared.run_id
        and candidates.query_key = compared.query_key
        and candidates."rank" <= compared.depth
)
select
    wanted.positive_key,
    wanted.passage_key,
    (row_number() over (order by wanted.positive_key, wanted.passage_key) - 1) // $size as block,
from wanted
anti join known on known.positive_key = wanted.positive_key and known.passage_key = wanted.passage_key
inner join passages as positive on positive.passage_key = wanted.positive_key
inner join passages as candidate
    on candidate.passage_key = wanted.passage_key and candidate.text_hash <> positive.text_hash;
