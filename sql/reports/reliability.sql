-- reliability: whether probabilities of a calibration mean what they say. Grain: one row per part, part_value, calibrated and bin.
-- It is the newest calibration that was fitted to the scorer of the cutoffs (to each, if they join several), or to any
-- scorer without cutoffs. Each query is asked of a fit without it. part: all, retriever or length. calibrated: false for the sigmoid of the logits. bin: a
-- tenth of [0, 1]. relevant: the share of pairs that is relevant, which probability should equal. From labels alone, it
-- is what labelled positives stand for.
-- Example: curate sql reliability
with newest as (
    select max(calibration_id) as calibration_id
    from calibrations
    where
        form <> 'declared'
        and (
            scorer_id in (
                select judges.scorer_id
                from judges
                inner join current_cutoffs on current_cutoffs.name = judges.cutoffs
            )
            or not exists (select 1 from current_cutoffs)
        )
    group by if(exists (select 1 from current_cutoffs), scorer_id, null)
)
select
    reliability.calibration_id,
    reliability.part,
    reliability.part_value,
    reliability.calibrated,
    reliability.bin,
    round(reliability.pairs, 1) as pairs,
    round(reliability.probability, 4) as probability,
    round(reliability.relevant, 4) as relevant,
from reliability
inner join newest on newest.calibration_id = reliability.calibration_id
order by reliability.calibration_id, reliability.part, reliability.part_value, reliability.calibrated, reliability.bin;
