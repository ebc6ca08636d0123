-- values: the stored measures of some runs. Grain: one row per (run_id, metric, query_key).
select metrics.run_id, metrics.metric, metrics.query_key, metrics.value
from metrics
inner join runs on runs.run_id = metrics.run_id
where list_contains($runs, metrics.run_id)
order by
    runs.round,
    metrics.run_id,
    list_position(['MRR@10', 'nDCG@10', 'MAP'], metrics.metric) nulls last,
    try_cast(split_part(metrics.metric, '@', 2) as integer),
    metrics.query_key;
