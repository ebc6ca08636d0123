-- judge: how the scorer and the retriever rank the labelled positives of queries that the scorer has not seen. Grain: one row per query.
-- The columns are those of macros/judge_by_query.sql.
-- Parameters: $run, $cutoffs.
select *
from judge_by_query(
    $run,
    (select depth from cutoffs where name = $cutoffs),
    (select scorer_id from cutoffs where name = $cutoffs),
    (select negative_below from cutoffs where name = $cutoffs),
    (select positive_above from cutoffs where name = $cutoffs),
    (select a from cutoffs where name = $cutoffs),
    (select b from cutoffs where name = $cutoffs),
    (select c from cutoffs where name = $cutoffs)
);
