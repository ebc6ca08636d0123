-- pairs: a block's pairs that are not in the ledger. Grain: one row per (query_key, passage_key).
with ledger as (
    select query_key, passage_key from ledger_shards where scorer_id = $scorer
)
select pairs.query_key, pairs.passage_key
from pairs_to_score($run, $depth) as pairs
anti join ledger on ledger.query_key = pairs.query_key and ledger.passage_key = pairs.passage_key
where pairs.query_key between $first_query and $last_query
order by pairs.query_key, pairs.passage_key;
