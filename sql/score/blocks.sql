-- blocks: the shards of a scoring job. Grain: one row per block of adjacent queries.
-- The blocks depend on the run alone, not on what is scored already, so a resumed job finds the same blocks.
-- $pairs: the approximate number of pairs in a block. unscored: how many of them the ledger does not have yet.
with ledger as (
    select query_key, passage_key from ledger_shards where scorer_id = $scorer
),
per_query as (
    select pairs.query_key, count(*) as pairs, count(*) filter (where ledger.query_key is null) as unscored
    from pairs_to_score($run, $depth) as pairs
    left join ledger
        on ledger.query_key = pairs.query_key and ledger.passage_key = pairs.passage_key
    group by pairs.query_key
),
placed as (
    select *, sum(pairs) over (order by query_key rows unbounded preceding) - pairs as pairs_before from per_query
)
select
    (pairs_before // $pairs)::integer as block,
    min(query_key) as first_query,
    max(query_key) as last_query,
    sum(pairs)::bigint as pairs,
    sum(unscored)::bigint as unscored,
from placed
group by block
order by block;
