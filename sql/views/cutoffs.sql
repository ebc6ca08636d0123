-- cutoffs: the settings of the cutoffs in force, with their calibration. Grain: one row per name.
-- a, b and c are those of macros/probability.sql. They are null, so that every candidate is unscored, if the row of the
-- calibration is gone. Where several scorers judge, the view judges has them, and scorer_id is null.
create or replace view cutoffs as
with in_force as (
    select * from stored_cutoffs
    qualify row_number() over (partition by name order by revision desc) = 1
)
select
    in_force.name,
    in_force.scorer_id,
    in_force.depth,
    in_force.negative_below,
    in_force.positive_above,
    in_force.pseudo_positives,
    in_force.revision,
    in_force.calibration_id,
    case when in_force.calibration_id is null then 1 else calibrations.a end as a,
    case when in_force.calibration_id is null then 1 else calibrations.b end as b,
    case when in_force.calibration_id is null then 0 else calibrations.c end as c,
    in_force.joined,
    in_force.judges,
    in_force.enough,
    in_force.duplicate_above,
from in_force
left join calibrations on calibrations.calibration_id = in_force.calibration_id;
