-- rounds: every run, the model that made it, the data that the model was trained on, and the run's measures. Grain: one row per run.
-- model: the folder or hub name of the run's encoder; for a hybrid run, of its dense source. trained_on: the runs
-- that gave the model its negatives and pseudo-labels. judged_by: the scorer that denoised them. Both are null for
-- a model from elsewhere. Measures are means over the judged queries of the run's split (curate evaluate).
-- outdated: labels of any split were loaded since, so run curate evaluate again before you compare the run with
-- newer ones.
-- Example: curate sql rounds
with measured as (
    select
        run_id,
        avg(value) filter (where metric = 'MRR@10') as mrr_at_10,
        avg(value) filter (where metric = 'nDCG@10') as ndcg_at_10,
        avg(value) filter (where metric = 'Recall@50') as recall_at_50,
    from metrics
    group by run_id
),
newest_labels as (
    select max(number) as number from stages where regexp_matches(outputs::varchar, '"tables/(qrels|claims)/')
),
encoders as (
    select runs.run_id, min(models.path) as path
    from runs
    inner join runs as source on source.run_id = runs.run_id or list_contains(runs.sources, source.run_id)
    inner join models on models.model_id = source.model_id
    group by runs.run_id
),
trainings as (
    select
        number,
        job,
        array_to_string((settings -> 'runs')::varchar[], ' ') as runs,
        coalesce(
            settings -> 'cutoffs' ->> 'scorer_id',
            nullif(array_to_string(settings -> 'cutoffs' ->> '$.judges[*].scorer_id', ' and '), '')
        ) as scorer_id,
        settings ->> 'init' as init,
    from stages
    where stage = 'train'
)
select
    runs.round,
    runs.run_id,
    runs.split,
    round(measured.mrr_at_10, 4) as "MRR@10",
    round(measured.ndcg_at_10, 4) as "nDCG@10",
    round(measured.recall_at_50, 4) as "Recall@50",
    evaluations.number < newest_labels.number as outdated,
    encoders.path as model,
    trainings.init as trained_from,
    trainings.runs as trained_on,
    trainings.scorer_id as judged_by,
    runs.queries,
    runs.depth,
from runs
left join encoders on encoders.run_id = runs.run_id
left join stages on stages.job = runs.run_id
left join trainings
    on trainings.job = training_of(encoders.path)
    and trainings.number < stages.number -- a model trained later under the same name did not make this run
left join measured on measured.run_id = runs.run_id
left join stages as evaluations on evaluations.stage = 'evaluate' and evaluations.settings ->> 'run' = runs.run_id
cross join newest_labels
order by runs.round;
