-- pairs_to_score: what a scorer should see of a run. Grain: one row per (run_id, query_key, passage_key).
-- The run's candidates, and the positives of its queries, which the audit and distillation need.
create or replace view pairs_to_score as
select run_id, query_key, passage_key from candidates
union
select of_run.run_id, positives.query_key, positives.passage_key
from (select distinct run_id, query_key from candidates) as of_run
inner join positives on positives.query_key = of_run.query_key;
