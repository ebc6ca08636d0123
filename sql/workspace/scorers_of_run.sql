-- scorers_of_run: the scorers that have scored candidates of $run. Grain: one row per scorer.
select distinct scores.scorer_id
from scores
semi join (select query_key, passage_key from usable_candidates where run_id = $run) as found
    on found.query_key = scores.query_key and found.passage_key = scores.passage_key
order by scores.scorer_id;
