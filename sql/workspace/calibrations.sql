-- calibrations: the calibrations of $scorer. Grain: one row per calibration.
select calibration_id from calibrations where scorer_id = $scorer order by calibration_id;
