-- train_found: what the evidence says of what the runs found. Grain: one row per (query_key, passage_key).
-- As deep as $cutoffs judge; rank: the best among $runs. Empty without runs or cutoffs.
create or replace temp table train_found as
select decisions.query_key, decisions.passage_key, any_value(decisions.decision) as decision, min(decisions.rank) as rank,
from decisions
inner join cutoffs on cutoffs.name = decisions.cutoffs
where
    decisions.cutoffs = $cutoffs
    and list_contains($runs, decisions.run_id)
    and decisions.rank <= cutoffs.depth
group by decisions.query_key, decisions.passage_key;
