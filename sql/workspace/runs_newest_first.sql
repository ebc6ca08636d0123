-- runs_newest_first: for choosing one. Grain: one row per run.
select run_id, split, retriever, sources from runs order by round desc;
