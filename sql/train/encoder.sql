-- encoder: the encoder that mined a run, or one of its sources. Grain: one row, or none for lexical runs.
select models.path
from runs
inner join models on models.model_id = runs.model_id
where runs.run_id = $run or list_contains((select sources from runs where run_id = $run), runs.run_id)
order by runs.round
limit 1;
