-- scorers_of_run: the models that have scored candidates of $run. Grain: one row per scorer.
select distinct scores.scorer_id
from scores
semi join (select query_key, passage_key from usable_candidates where run_id = $run) as found
    on found.query_key = scores.query_key and found.passage_key = scores.passage_key
anti join (select model_id from models where "role" = 'ranks') as ranks on ranks.model_id = scores.scorer_id
order by scores.scorer_id;
