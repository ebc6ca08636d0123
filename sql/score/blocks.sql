-- blocks: the shards of a scoring job. Grain: one row per block of adjacent queries.
-- The blocks depend on the run, and on the queries in `wave`, not on what is scored already, so a resumed job finds the same
-- blocks. $above: the ranks down to it belong to earlier waves, with the positives and the random passages.
-- A block has about a part in $shards of all pairs, within the bounds $smallest and $largest.
-- unscored: how many of its pairs the ledger does not have yet.
with ledger as (
    select query_key, passage_key from ledger_shards where scorer_id = $scorer
),
earlier as (
    select query_key, passage_key from pairs_to_score($run, $above) where $above > 0
),
per_query as (
    select pairs.query_key, count(*) as pairs, count(*) filter (where ledger.query_key is null) as unscored
    from pairs_to_score($run, $last) as pairs
    semi join wave on wave.query_key = pairs.query_key
    anti join earlier on earlier.query_key = pairs.query_key and earlier.passage_key = pairs.passage_key
    left join ledger
        on ledger.query_key = pairs.query_key and ledger.passage_key = pairs.passage_key
    group by pairs.query_key
),
placed as (
    select
        *,
        sum(pairs) over (order by query_key rows unbounded preceding) - pairs as pairs_before,
        least(greatest(sum(pairs) over () // $shards, $smallest), $largest) as pairs_of_block,
    from per_query
)
select
    (pairs_before // pairs_of_block)::integer as block,
    min(query_key) as first_query,
    max(query_key) as last_query,
    sum(pairs)::bigint as pairs,
    sum(unscored)::bigint as unscored,
from placed
group by block
order by block;
