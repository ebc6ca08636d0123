-- positives_recognised: the scorer's verdicts on pairs that people labelled relevant. Grain: one row per verdict.
-- This report checks the scorer: most labelled positives should be above positive_above, few below negative_below.
-- All labelled positives of the queries of the run's split count, whether the retriever found them or not. Those of
-- a query for which it found nothing, as of a text without tokens, are unscored. Those of queries that the scorer was
-- trained on, or one of several judges, stand apart (seen, seen_share): a scorer knows them by heart, so they say
-- nothing of it.
-- Parameters: $run, $cutoffs.
-- Example: curate sql positives_recognised -p cutoffs=strict
with seen as (
    select distinct seen_queries.query_key
    from judges
    inner join seen_queries on seen_queries.scorer_id = judges.scorer_id
    where judges.cutoffs = $cutoffs
),
verdicts as (
    select
        case
            when probabilities.probability is null then 4
            when probabilities.probability > cutoffs.positive_above then 1
            when probabilities.probability < cutoffs.negative_below then 3
            else 2
        end as step,
        seen.query_key is not null as seen,
    from positives
    inner join queries on queries.query_key = positives.query_key
    inner join runs on runs.run_id = $run and runs.split = queries.split
    inner join cutoffs on cutoffs.name = $cutoffs
    left join probabilities
        on probabilities.cutoffs = cutoffs.name
        and probabilities.query_key = positives.query_key
        and probabilities.passage_key = positives.passage_key
    left join seen on seen.query_key = positives.query_key
),
steps (step, verdict) as (
    values (1, 'above positive_above'), (2, 'between the cutoffs'), (3, 'below negative_below'), (4, 'unscored')
),
counted as (
    select step, count(*) filter (where not seen) as positives, count(*) filter (where seen) as seen
    from verdicts
    group by step
)
select
    steps.verdict,
    coalesce(counted.positives, 0) as positives,
    round(coalesce(counted.positives, 0) / nullif(sum(counted.positives) over (), 0), 6) as share,
    coalesce(counted.seen, 0) as seen,
    round(coalesce(counted.seen, 0) / nullif(sum(counted.seen) over (), 0), 6) as seen_share,
from steps
left join counted on counted.step = steps.step
order by steps.step;
