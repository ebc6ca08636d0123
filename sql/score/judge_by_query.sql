-- judge_by_query: the figures of a scorer on queries that it has not seen. Grain: one row per query (macros/judge_by_query.sql).
-- Its probabilities are those of the calibration $calibration; null: the sigmoid of the logits.
with chosen as (
    select a, b, c from calibrations where calibration_id = $calibration::varchar
    union all
    select 1, 1, 0 where $calibration::varchar is null
)
select *
from judge_by_query(
    $run,
    $depth,
    $scorer,
    $negative_below,
    $positive_above,
    (select a from chosen),
    (select b from chosen),
    (select c from chosen),
    $stops
);
