-- judge: how a scorer and the retriever rank the labelled positives of queries that the scorer has not seen. Grain: one row per query.
-- The columns are those of macros/judge_by_query.sql.
-- Parameters: $run, $cutoffs, $scorer (the id of a scorer; without it that of the cutoffs).
-- Example: curate sql judge -p scorer=ID
select *
from judge_by_query(
    $run,
    (select depth from cutoffs where name = $cutoffs),
    $scorer,
    (select negative_below from cutoffs where name = $cutoffs),
    (select positive_above from cutoffs where name = $cutoffs),
    (select a from scale_of($cutoffs, $scorer)),
    (select b from scale_of($cutoffs, $scorer)),
    (select c from scale_of($cutoffs, $scorer)),
    enough_for($run, $cutoffs) is not null
);
