-- false_negatives_by_retriever: which retriever finds relevant passages that nobody labelled. Grain: one row per source run.
-- A candidate that several sources found counts for each of them. For judged, judged_irrelevant, unjudged,
-- pseudo_positives, denoised and the rates, see denoised_by_rank.
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
        judged.decision,
        judged.decided_by,
        count(*) over (partition by judged.query_key, judged.passage_key) as finders,
    from judged
    inner join candidate_sources
        on candidate_sources.run_id = $run
        and candidate_sources.query_key = judged.query_key
        and candidate_sources.passage_key = judged.passage_key
)
select
    source_run_id,
    retriever,
    count(*) filter (where decision = 'positive') as positives,
    count(*) filter (where is_judged(decision) and decided_by <> 'people') as unjudged,
    count(*) filter (where is_judged(decision) and decided_by = 'people') as judged_irrelevant,
    count(*) filter (where is_judged(decision)) as judged,
    count(*) filter (where is_judged(decision) and finders = 1) as only_here,
    count(*) filter (where decision = 'false_negative') as false_negatives,
    count(*) filter (where decision = 'pseudo_positive') as pseudo_positives,
    count(*) filter (where is_denoised(decision)) as denoised,
    count(*) filter (where decision = 'uncertain') as uncertain,
    count(*) filter (where decision = 'unscored') as unscored,
    if(unscored > 0 and stops, null, round(false_negatives / nullif(unjudged, 0), 6)) as false_negative_rate,
    if(unscored > 0 and stops, null, round(denoised / nullif(unjudged, 0), 6)) as denoised_rate,
from by_source
cross join (select enough_for($run, $cutoffs) is not null as stops)
group by source_run_id, retriever, stops
order by retriever, source_run_id;
