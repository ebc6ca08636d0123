-- judge_by_query: the figures of a scorer on queries that it has not seen. Grain: one row per query (macros/judge_by_query.sql).
-- Its probabilities are those of its newest calibration, if it has one.
with newest as (
    select
        coalesce(arg_max(calibrations.a, stages.number), 1) as a,
        coalesce(arg_max(calibrations.b, stages.number), 1) as b,
        coalesce(arg_max(calibrations.c, stages.number), 0) as c,
    from calibrations
    inner join stages on stages.job = calibrations.calibration_id
    where calibrations.scorer_id = $scorer
)
select *
from judge_by_query(
    $run,
    $depth,
    $scorer,
    $negative_below,
    $positive_above,
    (select a from newest),
    (select b from newest),
    (select c from newest)
);
