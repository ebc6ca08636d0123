-- scorers: the scorers of the cutoffs, and what is known of what trained them. Grain: one row per scorer_id.
-- trained_here: whether a job of this workspace trained it, so that the queries are known that trained it. ranks: the ranks of
-- a run, which nothing trained. evidence: what its calibration was learnt from (tables/calibrations.sql); null: it has none.
-- retriever_has_seen: the run's encoder was trained here, and the run is over train, where its labels are from.
select
    judges.scorer_id,
    was_trained_here(models.path) as trained_here,
    models."role" = 'ranks' as ranks,
    judges.calibration_id,
    calibrations.evidence,
    (
        select coalesce(bool_or(was_trained_here(encoders.path)), false)
        from runs
        inner join models as encoders on encoders.model_id = runs.model_id
        where
            (select split from runs where run_id = $run) = 'train'
            and (runs.run_id = $run or list_contains((select sources from runs where run_id = $run), runs.run_id))
    ) as retriever_has_seen,
from judges
left join models on models.model_id = judges.scorer_id
left join calibrations on calibrations.calibration_id = judges.calibration_id
where judges.cutoffs = $cutoffs
order by judges.scorer_id;
