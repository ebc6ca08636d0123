-- cutoffs_in_force: the cutoffs in force with their scorer's fingerprint. Grain: one row per name.
select cutoffs.*, models.fingerprint as scorer_fingerprint
from cutoffs
left join (select distinct model_id, fingerprint from models) as models on models.model_id = cutoffs.scorer_id
order by cutoffs.name;
