-- calibration_in_force: what the probabilities of the cutoffs rest on. Grain: one row per scorer that decides.
-- calibration_id and what follows are null without a calibration: then a probability is the sigmoid of a logit. The columns
-- from form to error are those of the table calibrations. precision_above: the promise (curate calibrate --precision)
-- that was found for a positive_above that is in force now, or null; share_false_below: that for negative_below.
-- Parameters: $cutoffs.
-- Example: curate sql calibration_in_force -p cutoffs=strict
with promised as (
    select
        promises.calibration_id,
        max(1 - promises.most) filter (where promises.side = 'above' and promises.cutoff <= cutoffs.positive_above)
            as precision_above,
        min(promises.most) filter (where promises.side = 'below' and promises.cutoff >= cutoffs.negative_below)
            as share_false_below,
        min(promises.confidence) as confidence,
    from promises
    cross join (select * from cutoffs where name = $cutoffs) as cutoffs
    group by promises.calibration_id
)
select
    judges.scorer_id,
    judges.calibration_id,
    calibrations.form,
    calibrations.evidence,
    calibrations.queries,
    calibrations.positives,
    calibrations.others,
    round(calibrations.prior, 6) as prior,
    round(calibrations.error_before, 6) as error_before,
    round(calibrations.error, 6) as error,
    promised.precision_above,
    promised.share_false_below,
    promised.confidence,
from judges
left join calibrations on calibrations.calibration_id = judges.calibration_id
left join promised on promised.calibration_id = judges.calibration_id
where judges.cutoffs = $cutoffs
order by judges.scorer_id;
