-- wave_others: the queries of a run that are not in its sample. Grain: one row per query.
select distinct found.query_key
from usable_candidates as found
anti join sampled_queries($run, $path) as sample on sample.query_key = found.query_key
where found.run_id = $run;
