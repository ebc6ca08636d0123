-- positives_recognised: the scorer's verdicts on pairs that people labelled relevant. Grain: one row per verdict.
-- This report checks the scorer: most labelled positives should be above positive_above, few below negative_below.
-- All labelled positives of the queries of the run's split count, whether the retriever found them or not. Those of
-- a query for which it found nothing, as of a text without tokens, are unscored. Those of queries that the scorer was
-- trained on, or one of several judges, stand apart (seen, seen_share): a scorer knows them by heart, so they say
-- nothing of it. share, seen_share: of those with a score; null for unscored. low, high: the 95 % interval of share, by query (macros/share_interval.sql).
-- Parameters: $run, $cutoffs.
-- Example: curate sql positives_recognised -p cutoffs=strict
with seen as (
    select query_key from seen_by_judges where cutoffs = $cutoffs
),
verdicts as (
    select
        positives.query_key,
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
per_query as (
    select query_key, count(*) filter (where step < 4) as positives from verdicts where not seen group by query_key
),
of_query as (
    select query_key, step, count(*) as hits from verdicts where not seen group by query_key, step
),
unseen as (
    select
        steps.step,
        sum(coalesce(of_query.hits, 0))::bigint as positives,
        sum(per_query.positives)::bigint as total,
        share_interval(coalesce(of_query.hits, 0), per_query.positives) as "interval",
    from steps
    cross join per_query
    left join of_query on of_query.query_key = per_query.query_key and of_query.step = steps.step
    group by steps.step
),
known as (
    select step, count(*) as seen from verdicts where seen group by step
),
counted as (
    select
        steps.step,
        steps.verdict,
        coalesce(unseen.positives, 0) as positives,
        unseen.total,
        unseen."interval",
        coalesce(known.seen, 0) as seen,
    from steps
    left join unseen on unseen.step = steps.step
    left join known on known.step = steps.step
)
select
    verdict,
    positives,
    if(step = 4, null, round(positives / nullif(total, 0), 6)) as share,
    if(step = 4, null, round("interval".low, 6)) as low,
    if(step = 4, null, round("interval".high, 6)) as high,
    seen,
    if(step = 4, null, round(seen / nullif(sum(seen) filter (where step < 4) over (), 0), 6)) as seen_share,
from counted
order by step;
