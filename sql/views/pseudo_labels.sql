-- pseudo_labels: unlabeled questions' confident passages. Grain: one row per (cutoffs, run_id, query_key, passage_key).
-- Only queries of the split 'unlabeled' that neither dev nor test asks, and ranks within the cutoffs' depth.
-- pseudo_positives 'best' keeps the single most probable passage above the cutoff, as RocketQA's released
-- scripts do it (NAACL 2021, 3.3), 'all' keeps every one above.
create or replace view pseudo_labels as
select
    decisions.cutoffs,
    decisions.run_id,
    decisions.query_key,
    decisions.passage_key,
    decisions.rank,
    decisions.probability,
from decisions
inner join cutoffs on cutoffs.name = decisions.cutoffs
inner join queries on queries.query_key = decisions.query_key
anti join leaked_questions on leaked_questions.query_key = decisions.query_key
where decisions.decision = 'pseudo_positive' and queries.split = 'unlabeled' and decisions.rank <= cutoffs.depth
qualify
    cutoffs.pseudo_positives = 'all'
    or row_number() over (
        partition by decisions.cutoffs, decisions.run_id, decisions.query_key
        order by decisions.probability desc, decisions.rank
    ) = 1;
