-- train_found: what the evidence says of what the runs found. Grain: one row per (query_key, passage_key).
-- Down to rank $depth of $runs, judged by $cutoffs; empty without runs or cutoffs.
create or replace temp table train_found as
select decisions.query_key, decisions.passage_key, any_value(decisions.decision) as decision,
from decisions
inner join cutoffs on cutoffs.name = decisions.cutoffs
where
    decisions.cutoffs = $cutoffs
    and list_contains($runs, decisions.run_id)
    and decisions.rank <= least(cutoffs.depth, $depth)
group by decisions.query_key, decisions.passage_key;
