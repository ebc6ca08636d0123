-- pairs_to_score: the pairs of a run that a scorer should score. Grain: one row per (query_key, passage_key).
-- These are the candidates at ranks up to top_k, the positives of their queries for the audit and
-- distillation, and some random passages, which show the scale.
create or replace macro pairs_to_score(of_run, top_k) as table
select query_key, passage_key from usable_candidates where run_id = of_run and "rank" <= top_k
union
select positives.query_key, positives.passage_key
from positives
semi join (select query_key from usable_candidates where run_id = of_run) as mined
    on mined.query_key = positives.query_key
union
select query_key, passage_key from random_pairs(of_run);
