-- evaluate_values: what was measured of some runs. Grain: one row per (run_id, metric, query_key).
select metrics.run_id, metrics.metric, metrics.query_key, metrics.value
from metrics
inner join runs on runs.run_id = metrics.run_id
where list_contains($runs, metrics.run_id)
order by runs.round, metrics.run_id, metrics.query_key;
