-- judge_by_query: the figures of a scorer on queries that it has not seen. Grain: one row per query (macros/judge_by_query.sql).
-- Its probabilities are those of its newest calibration, if it has one.
select *
from judge_by_query(
    $run,
    $depth,
    $scorer,
    $negative_below,
    $positive_above,
    (select a from scale_of(null, $scorer)),
    (select b from scale_of(null, $scorer)),
    (select c from scale_of(null, $scorer))
);
