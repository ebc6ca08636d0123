-- setting: the run, the scorer and the cutoffs that the other reports refer to. Grain: one row.
-- depth: the top-k that is judged. Reports and exports leave out candidates at deeper ranks.
-- trained_elsewhere: the scorers of the cutoffs that no job of this workspace trained, so that nobody knows on which labels.
-- Parameters: $run, $cutoffs.
-- Example: curate sql setting
with origins as (
    select judges.cutoffs, judges.scorer_id, was_trained_here(models.path) as is_from_here
    from judges
    inner join models on models.model_id = judges.scorer_id
    where models."role" <> 'ranks'
),
elsewhere as (
    select cutoffs, list(scorer_id order by scorer_id) as scorers from origins where not is_from_here group by cutoffs
)
select
    runs.run_id,
    runs.retriever,
    runs.split,
    runs.queries,
    runs.model_id as encoder,
    runs.sources,
    cutoffs.name as cutoffs,
    cutoffs.scorer_id,
    cutoffs.depth,
    cutoffs.negative_below::varchar::double as negative_below,
    cutoffs.positive_above::varchar::double as positive_above,
    cutoffs.pseudo_positives,
    cutoffs.calibration_id,
    cutoffs.joined,
    cutoffs.judges,
    cutoffs.enough,
    cutoffs.duplicate_above::varchar::double as duplicate_above,
    coalesce(elsewhere.scorers, []) as trained_elsewhere,
from runs
cross join cutoffs
left join elsewhere on elsewhere.cutoffs = cutoffs.name
where runs.run_id = $run and cutoffs.name = $cutoffs;
