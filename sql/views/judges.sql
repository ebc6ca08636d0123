-- judges: the scorers whose probabilities decide, with the calibration of each. Grain: one row per (cutoffs, scorer_id).
-- Most cutoffs have one judge. a, b and c are those of macros/probability.sql. They are null, so that its candidates are
-- unscored, if the row of the calibration is gone.
create or replace view judges as
with named as (
    select
        name as cutoffs,
        unnest(coalesce(judges, [{'scorer_id': scorer_id, 'calibration_id': calibration_id}])) as judge,
    from cutoffs
)
select
    named.cutoffs,
    named.judge.scorer_id,
    named.judge.calibration_id,
    case when named.judge.calibration_id is null then 1 else calibrations.a end as a,
    case when named.judge.calibration_id is null then 1 else calibrations.b end as b,
    case when named.judge.calibration_id is null then 0 else calibrations.c end as c,
from named
left join calibrations on calibrations.calibration_id = named.judge.calibration_id;
