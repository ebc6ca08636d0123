-- cutoffs_in_force: the cutoffs in force with the fingerprints of their scorers. Grain: one row per name.
-- scorer_fingerprint: that of the only scorer. judge_fingerprints: those of all, in the order of their ids.
with prints as (
    select judges.cutoffs, list(models.fingerprint order by judges.scorer_id) as judge_fingerprints
    from judges
    left join (select distinct model_id, fingerprint from models) as models on models.model_id = judges.scorer_id
    group by judges.cutoffs
)
select
    cutoffs.*,
    if(cutoffs.joined is null, prints.judge_fingerprints[1], null) as scorer_fingerprint,
    prints.judge_fingerprints,
from cutoffs
inner join prints on prints.cutoffs = cutoffs.name
order by cutoffs.name;
