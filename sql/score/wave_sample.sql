-- wave_sample: the queries that are scored in full although others stop early, to measure the judge. Grain: one row per query.
select query_key from sampled_queries($run, $path);
