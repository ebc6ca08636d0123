-- ranks: minus the logarithm of the ranks in a run, for the pairs that a scorer scores and the ledger lacks. Grain: one row per (query_key, passage_key).
-- A positive that the run has not found has no rank, and so no score.
with ledger as (
    select query_key, passage_key from ledger_shards where scorer_id = $scorer
)
select $scorer as scorer_id, found.query_key, found.passage_key, (0 - ln(found."rank"))::float as logit
from usable_candidates as found
semi join pairs_to_score($run, $depth) as pairs
    on pairs.query_key = found.query_key and pairs.passage_key = found.passage_key
anti join ledger on ledger.query_key = found.query_key and ledger.passage_key = found.passage_key
where found.run_id = $run
order by found.query_key, found.passage_key;
