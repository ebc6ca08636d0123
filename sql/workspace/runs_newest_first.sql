-- runs_newest_first: all runs, newest first, to choose one. Grain: one row per run.
-- because: why the run is the current one of its split (views/current_runs.sql); null: it is not.
select runs.run_id, runs.split, runs.retriever, runs.sources, current_runs.because
from runs
left join current_runs on current_runs.run_id = runs.run_id
order by runs.round desc;
