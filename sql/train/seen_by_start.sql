-- seen_by_start: the queries whose labels the start of a training has seen, which was trained by the job $start. Grain: one row per query.
select query_key from trained_queries where training = $start order by query_key;
