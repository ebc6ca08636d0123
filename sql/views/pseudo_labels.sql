-- pseudo_labels: the pseudo-labels that each run gives to queries without labels. Grain: one row per (cutoffs, run_id, query_key, passage_key).
-- Only queries of the split 'unlabeled' get one, and only if their text is not in dev or test. A query keeps
-- either the best passage or all of them, as the cutoffs say (macros/pseudo_label_place.sql). A training set keeps
-- the best passage over all of its runs (training_set/positives.sql).
create or replace view pseudo_labels as
select found.cutoffs, found.run_id, found.query_key, found.passage_key, found.rank, found.probability
from found
inner join cutoffs on cutoffs.name = found.cutoffs
inner join training_queries on training_queries.query_key = found.query_key
where found.decision = 'pseudo_positive' and training_queries.split = 'unlabeled'
qualify
    cutoffs.pseudo_positives = 'all'
    or pseudo_label_place(
        (found.cutoffs, found.run_id, found.query_key), found.probability, found.rank, found.passage_key
    ) = 1;
