-- export_found: what the runs found for a block, within the depth that is judged. Grain: one row per (query_key, passage_key).
-- Probability and decision belong to the pair, whichever run found it.
create or replace temp table export_found as
select
    decisions.query_key,
    decisions.passage_key,
    any_value(decisions.probability) as probability,
    any_value(decisions.decision) as decision,
    min(decisions.rank) as "rank",
from decisions
inner join cutoffs on cutoffs.name = decisions.cutoffs
semi join export_queries on export_queries.query_key = decisions.query_key
where
    decisions.cutoffs = $cutoffs
    and list_contains($runs, decisions.run_id)
    and decisions.query_key between $first and $last
    and decisions.rank <= cutoffs.depth
group by decisions.query_key, decisions.passage_key;
