-- false_negatives_by_retriever: which retriever finds relevant passages that nobody labelled. Grain: one row per source run.
-- A candidate that several sources found counts for each of them. For judged, judged_irrelevant, unjudged,
-- pseudo_positives, denoised and the rates, see denoised_by_rank.
-- The interval of the rate (low, high) is by query (macros/share_interval.sql).
-- only_here: judged candidates that no other source of the run found.
-- Parameters: $run (a hybrid run has several sources), $cutoffs.
-- Example: curate sql false_negatives_by_retriever -p run=RUN
with judged as (
    select query_key, passage_key, decision, decided_by
    from found
    where cutoffs = $cutoffs and run_id = $run
),
by_source as (
    select
        candidate_sources.source_run_id,
        candidate_sources.retriever,
        judged.query_key,
        judged.decision,
        judged.decided_by,
        count(*) over (partition by judged.query_key, judged.passage_key) as finders,
    from judged
    inner join candidate_sources
        on candidate_sources.run_id = $run
        and candidate_sources.query_key = judged.query_key
        and candidate_sources.passage_key = judged.passage_key
),
per_query as (
    select
        source_run_id,
        retriever,
        query_key,
        count(*) filter (where decision = 'positive') as positives,
        count(*) filter (where is_judged(decision) and decided_by <> 'people') as unjudged,
        count(*) filter (where is_judged(decision) and decided_by = 'people') as judged_irrelevant,
        count(*) filter (where is_judged(decision) and finders = 1) as only_here,
        count(*) filter (where decision = 'false_negative') as false_negatives,
        count(*) filter (where decision = 'pseudo_positive') as pseudo_positives,
        count(*) filter (where is_denoised(decision)) as denoised,
        count(*) filter (where decision = 'uncertain') as uncertain,
        count(*) filter (where decision = 'unscored') as unscored,
    from by_source
    group by source_run_id, retriever, query_key
),
summed as (
    select
        source_run_id,
        retriever,
        sum(positives)::bigint as positives,
        sum(unjudged)::bigint as unjudged,
        sum(judged_irrelevant)::bigint as judged_irrelevant,
        sum(unjudged + judged_irrelevant)::bigint as judged,
        sum(only_here)::bigint as only_here,
        sum(false_negatives)::bigint as false_negatives,
        sum(pseudo_positives)::bigint as pseudo_positives,
        sum(denoised)::bigint as denoised,
        sum(uncertain)::bigint as uncertain,
        sum(unscored)::bigint as unscored,
        sum(unscored) > 0 and enough_for($run, $cutoffs) is not null as stopped_early,
        share_interval(false_negatives, unjudged) as false_negative_interval,
    from per_query
    group by source_run_id, retriever
)
select
    source_run_id,
    retriever,
    positives,
    unjudged,
    judged_irrelevant,
    judged,
    only_here,
    false_negatives,
    pseudo_positives,
    denoised,
    uncertain,
    unscored,
    if(stopped_early, null, round(false_negatives / nullif(unjudged, 0), 6)) as false_negative_rate,
    if(stopped_early, null, round(false_negative_interval.low, 6)) as false_negative_low,
    if(stopped_early, null, round(false_negative_interval.high, 6)) as false_negative_high,
    if(stopped_early, null, round(denoised / nullif(unjudged, 0), 6)) as denoised_rate,
from summed
order by retriever, source_run_id;
