-- wave_every: all queries of a run. Grain: one row per query.
select distinct query_key from usable_candidates where run_id = $run;
