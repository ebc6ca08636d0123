-- newest_calibration: the newest calibration of $scorer. Grain: one row, or none.
-- is_newer: it was made after the cutoffs $name were set last.
with calibrated as (
    select calibrations.calibration_id, stages.number
    from calibrations
    inner join stages on stages.job = calibrations.calibration_id
    where calibrations.scorer_id = $scorer
),
set_last as (
    select max(number) as number from stages where stage = 'cutoffs' and settings ->> 'name' = $name
)
select calibrated.calibration_id, calibrated.number > coalesce(set_last.number, 0) as is_newer
from calibrated
cross join set_last
order by calibrated.number desc
limit 1;
