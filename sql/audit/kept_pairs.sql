-- kept_pairs: the rows of `found` of one run and cutoffs, kept so that many reports need one join. Grain: one row per (query_key, passage_key).
-- Parameters: $run, $cutoffs.
create or replace temp table kept_pairs as
select
    query_key,
    passage_key,
    "rank",
    retriever_score,
    probability,
    decision::enum (
        'positive', 'duplicate', 'unscored', 'false_negative', 'pseudo_positive', 'uncertain', 'hard_negative'
    ) as decision,
    decided_by::enum ('people', 'text', 'scorer') as decided_by,
from found
where cutoffs = $cutoffs and run_id = $run;
