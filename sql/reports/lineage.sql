-- lineage: the jobs on which a run's decisions are based, oldest first. Grain: one row per job.
-- settings and inputs (name -> sha256) are those of the job. model and fingerprint: the encoder or the scorer that
-- the job used. The same job with the same inputs and model gives the same bytes again.
-- If the model was trained in this workspace before it was used, its folder leads to the job: train-NAME makes
-- models/NAME. That job's settings name the runs that the model was trained on; ask for their lineage separately.
-- seconds: of a resumed job, those of the last attempt.
-- Parameters: $run (including the runs that a hybrid unites), $cutoffs.
-- Example: curate sql lineage --json
with wanted as (
    select run_id, model_id from runs where run_id = $run
    union
    select source.run_id, source.model_id
    from runs
    inner join runs as source on list_contains(runs.sources, source.run_id)
    where runs.run_id = $run
),
scorer as (
    select models.model_id, models.fingerprint, models.path
    from judges
    inner join models on models.model_id = judges.scorer_id
    where judges.cutoffs = $cutoffs
),
jobs as (
    select stages.job, null as model_id from stages where stages.stage = 'load'
    union
    select wanted.run_id as job, wanted.model_id from wanted
    union
    select stages.job, scorer.model_id
    from stages
    inner join scorer on training_of(scorer.path) = stages.job
    where
        stages.number < (
            select min(judged.number) from stages as judged
            where judged.stage in ('denoise', 'ranks', 'augment') and judged.inputs ->> 'scorer' = scorer.fingerprint
        )
    union
    select stages.job, wanted.model_id
    from wanted
    inner join models on models.model_id = wanted.model_id
    inner join stages on stages.job = training_of(models.path)
    inner join stages as mined on mined.job = wanted.run_id and mined.number > stages.number
    union
    select stages.job, scorer.model_id
    from stages
    inner join wanted on wanted.run_id = stages.settings ->> 'run'
    inner join scorer on scorer.fingerprint = stages.inputs ->> 'scorer'
    where stages.stage in ('denoise', 'ranks', 'augment')
    union
    select judges.calibration_id as job, judges.scorer_id as model_id
    from judges
    where judges.cutoffs = $cutoffs
    union
    select stages.job, of_cutoffs.model_id
    from stages
    cross join (select if(count(*) = 1, any_value(model_id), null) as model_id from scorer having count(*) > 0) as of_cutoffs
    where stages.stage = 'cutoffs' and stages.settings ->> 'name' = $cutoffs
)
select
    stages.number,
    stages.stage,
    stages.job,
    jobs.model_id as model,
    models.fingerprint,
    stages.settings,
    stages.inputs,
    models.settings as model_settings,
    stages.version,
    stages.finished_at,
    stages.seconds,
from jobs
inner join stages on stages.job = jobs.job
left join models on models.model_id = jobs.model_id
order by stages.number, stages.job;
