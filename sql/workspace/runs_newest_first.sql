-- runs_newest_first: all runs, newest first, to choose one. Grain: one row per run.
select run_id, split, retriever, sources from runs order by round desc;
