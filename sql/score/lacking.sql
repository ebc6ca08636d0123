-- lacking: the pairs of a wave that are not in the ledger, found once for a range of blocks. Grain: one row per (query_key, passage_key).
-- $above and $last: see blocks.
create or replace table lacking as
with ledger as (
    select query_key, passage_key
    from ledger_shards
    where scorer_id = $scorer and query_key between $first_query and $last_query
),
earlier as (
    select query_key, passage_key
    from pairs_to_score($run, $above)
    where $above > 0 and query_key between $first_query and $last_query
)
select pairs.query_key, pairs.passage_key
from pairs_to_score($run, $last) as pairs
semi join wave on wave.query_key = pairs.query_key
anti join earlier on earlier.query_key = pairs.query_key and earlier.passage_key = pairs.passage_key
anti join ledger on ledger.query_key = pairs.query_key and ledger.passage_key = pairs.passage_key
where pairs.query_key between $first_query and $last_query
order by pairs.query_key, pairs.passage_key;
