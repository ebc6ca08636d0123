-- scored_runs: the rows of the view, where there are files of scored candidates. Grain: one row per (run_id, scorer_id).
select unnest($runs::varchar[]) as run_id, unnest($scorers::varchar[]) as scorer_id;
