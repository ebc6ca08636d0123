-- runs: the runs of an export, with their encoder's fingerprint. Grain: one row per run.
select runs.*, models.fingerprint as model_fingerprint
from runs
left join (select distinct model_id, fingerprint from models) as models on models.model_id = runs.model_id
where list_contains($runs, runs.run_id)
order by runs.run_id;
