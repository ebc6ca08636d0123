-- was_trained_here: whether a job of the workspace trained the model at a path, even if the job was forgotten since. Grain: one value per call.
-- A model from elsewhere may lie in models/, too.
create or replace macro was_trained_here(path) as exists (
    select 1 from stages where training_of(path) = case when stage = 'forgotten' then settings ->> 'job' else job end
);
