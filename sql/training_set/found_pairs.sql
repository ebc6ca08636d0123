-- found_pairs: the pairs that any run of a training set found. Grain: one row per (query_key, passage_key).
-- Probability, decision and its evidence belong to the pair. rank is its best rank in these runs. Parameters: $cutoffs, $runs,
-- and the range of query keys from $first to $last. Without cutoffs there are no decisions, and the table is
-- empty.
create or replace temp table found_pairs as
select
    query_key,
    passage_key,
    any_value(probability) as probability,
    any_value(decision) as decision,
    any_value(decided_by) as decided_by,
    min(rank) as rank,
from found
where cutoffs = $cutoffs and list_contains($runs, run_id) and query_key between $first and $last
group by query_key, passage_key;
