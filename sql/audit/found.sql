-- found: the view of the same name, as far as kept_pairs has its rows. Grain: one row per (query_key, passage_key).
-- Parameters: $run, $cutoffs, of which kept_pairs was made.
select
    $cutoffs::varchar as cutoffs,
    $run::varchar as run_id,
    query_key,
    passage_key,
    "rank",
    retriever_score,
    probability,
    decision,
    decided_by,
from kept_pairs;
