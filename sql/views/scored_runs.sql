-- scored_runs: the runs whose candidates scored_candidates has, and by which scorer. Grain: one row per (run_id, scorer_id).
create or replace view scored_runs as
select null::varchar as run_id, null::varchar as scorer_id where false;
