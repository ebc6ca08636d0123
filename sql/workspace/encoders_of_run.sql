-- encoders_of_run: the encoders that made $run, or the runs that it unites. Grain: one row per encoder; none for lexical runs.
select distinct models.model_id, models.path, was_trained_here(models.path) as is_trained_here
from runs
inner join models on models.model_id = runs.model_id
where runs.run_id = $run or list_contains((select sources from runs where run_id = $run), runs.run_id)
order by models.model_id;
