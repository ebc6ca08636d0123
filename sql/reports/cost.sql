-- cost: what the scores of a run cost, and what the ledger saved. Grain: one row per scorer that decides.
-- known: candidates of the run that it has scored; null if several scorers decide. pairs: those that the jobs for this run
-- have computed, with labelled positives and random passages. saved: those that were in the ledger already, from other
-- runs: known - pairs, at least. Of a job that was killed and resumed, the last attempt counts. seconds: of these jobs.
-- trained_seconds: of the training, if the scorer was trained here.
-- Parameters: $run, $cutoffs.
-- Example: curate sql cost -p cutoffs=strict
with scorers as (
    select judges.scorer_id, models.fingerprint, models.path
    from judges
    inner join models on models.model_id = judges.scorer_id
    where judges.cutoffs = $cutoffs
),
jobs as (
    select
        scorers.scorer_id,
        count(*) as jobs,
        sum((stages.facts ->> 'pairs')::bigint)::bigint as pairs,
        sum(stages.seconds) as seconds,
        sum((stages.facts ->> 'scoring_seconds')::double) as scoring_seconds,
    from stages
    inner join scorers on scorers.fingerprint = stages.inputs ->> 'scorer'
    where stages.stage in ('denoise', 'ranks', 'augment') and stages.settings ->> 'run' = $run
    group by scorers.scorer_id
),
found_by_one as (
    select count(probability) as known
    from found
    where cutoffs = $cutoffs and run_id = $run
)
select
    scorers.scorer_id,
    if(of_all.scorers = 1, found_by_one.known, null) as known,
    coalesce(jobs.jobs, 0) as jobs,
    coalesce(jobs.pairs, 0) as pairs,
    if(of_all.scorers = 1, greatest(found_by_one.known - coalesce(jobs.pairs, 0), 0), null) as saved,
    round(coalesce(jobs.seconds, 0), 3) as seconds,
    round(jobs.pairs / nullif(jobs.scoring_seconds, 0), 1) as pairs_per_second,
    round(trained.seconds, 3) as trained_seconds,
from scorers
cross join (select count(*) as scorers from scorers) as of_all
cross join found_by_one
left join jobs on jobs.scorer_id = scorers.scorer_id
left join stages as trained on trained.job = training_of(scorers.path)
order by scorers.scorer_id;
