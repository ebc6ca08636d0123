-- scale_of: what turns a scorer's logits into probabilities: a, b and c of macros/probability.sql. Grain: one row.
-- Those that the cutoffs name, if the scorer is one of their judges; else those of its newest calibration; else the
-- sigmoid of the logits.
create or replace macro scale_of(of_cutoffs, of_scorer) as table
select known.a, known.b, known.c
from (
    select judges.a, judges.b, judges.c, 1 as precedence, 0 as number
    from judges
    where judges.cutoffs = of_cutoffs and judges.scorer_id = of_scorer
    union all
    select calibrations.a, calibrations.b, calibrations.c, 2 as precedence, stages.number
    from calibrations
    inner join stages on stages.job = calibrations.calibration_id
    where calibrations.scorer_id = of_scorer
    union all
    select 1 as a, 1 as b, 0 as c, 3 as precedence, 0 as number
) as known
order by known.precedence, known.number desc
limit 1;
