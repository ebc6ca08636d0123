-- compared: what a job has compared, from uncompared. Grain: one row per (query_key, positive_key).
select $run as run_id, query_key, positive_key, $depth::integer as depth
from uncompared
order by query_key, positive_key;
