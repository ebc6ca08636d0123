-- setting: the run, the scorer and the cutoffs that the other reports refer to. Grain: one row.
-- depth: the top-k that is judged. Reports and exports leave out candidates at deeper ranks.
-- Parameters: $run, $cutoffs.
-- Example: curate sql setting
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
from runs
cross join cutoffs
where runs.run_id = $run and cutoffs.name = $cutoffs;
