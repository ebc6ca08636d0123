-- found_pairs: the pairs that any run of a training set found. Grain: one row per (query_key, passage_key).
-- Probability, decision and its evidence belong to the pair. rank is its best rank in these runs. Parameters: $cutoffs, $runs,
-- and the range of query keys from $first to $last. Without cutoffs there are no decisions, and the table is
-- empty.
-- A single run has each pair once, so that it needs no grouping, which takes a third of the time.
create or replace temp table found_pairs as
with found_by_runs as not materialized (
    select query_key, passage_key, probability, decision, decided_by, rank
    from found
    where cutoffs = $cutoffs and list_contains($runs, run_id) and query_key between $first and $last
)
select query_key, passage_key, probability, decision, decided_by, rank
from found_by_runs
where len($runs) = 1
union all
select
    query_key,
    passage_key,
    any_value(probability),
    any_value(decision),
    any_value(decided_by),
    min(rank),
from found_by_runs
where len($runs) > 1
group by query_key, passage_key;
