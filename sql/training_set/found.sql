-- found: the candidates of the runs within the depth that the cutoffs judge. Grain: one row per (cutoffs, run_id, query_key, passage_key).
-- Everything that counts candidates or builds a training set reads this view. Deeper candidates are only in
-- `decisions`.
-- judged (macros/is_judged.sql): every decision except `positive` (labelled by people) and `unscored` (unknown).
-- denoised (macros/is_denoised.sql): judged, but not `hard_negative` (RocketQA, NAACL 2021, 3.2). Unscored
-- candidates are counted separately.
create or replace view found as
select
    decisions.cutoffs,
    decisions.run_id,
    decisions.query_key,
    decisions.passage_key,
    decisions.rank,
    decisions.retriever_score,
    decisions.probability,
    decisions.decision,
    decisions.decided_by,
from decisions
where decisions.within_depth;
