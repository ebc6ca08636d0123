-- denoised_by_split: what denoising removed in the current run of each split. Grain: one row per split whose run has scores.
-- For unjudged, denoised, pseudo_positives and the rates, see denoised_by_rank; intervals are by query. Queries without
-- labels have pseudo-positives in place of false negatives.
-- Parameters: $cutoffs.
-- Example: curate sql denoised_by_split -p cutoffs=strict
with per_query as (
    select
        current_runs.split,
        current_runs.run_id,
        found.query_key,
        count(*) as candidates,
        count(*) filter (where found.decision = 'false_negative') as false_negatives,
        count(*) filter (where found.decision = 'pseudo_positive') as pseudo_positives,
        count(*) filter (where is_denoised(found.decision)) as denoised,
        count(*) filter (where is_judged(found.decision) and found.decided_by <> 'people') as unjudged,
        count(*) filter (where found.decided_by = 'scorer') as scored,
        count(*) filter (where found.decision = 'unscored') as unscored,
    from current_runs
    inner join found on found.run_id = current_runs.run_id and found.cutoffs = $cutoffs
    group by current_runs.split, current_runs.run_id, found.query_key
),
summed as (
    select
        split,
        run_id,
        count(*) as queries,
        sum(candidates)::bigint as candidates,
        sum(unjudged)::bigint as unjudged,
        sum(denoised)::bigint as denoised,
        sum(false_negatives)::bigint as false_negatives,
        sum(pseudo_positives)::bigint as pseudo_positives,
        sum(unscored)::bigint as unscored,
        sum(unscored) > 0 and enough_for(run_id, $cutoffs) is not null as stopped_early,
        count(*) filter (where unjudged > 0) as judged_queries,
        share_interval(denoised, unjudged) as denoised_interval,
    from per_query
    group by split, run_id
    having sum(scored) > 0
)
select
    split,
    run_id,
    queries,
    candidates,
    unjudged,
    denoised,
    false_negatives,
    pseudo_positives,
    unscored,
    if(stopped_early, null, round(false_negatives / nullif(unjudged, 0), 6)) as false_negative_rate,
    if(stopped_early, null, round(denoised / nullif(unjudged, 0), 6)) as denoised_rate,
    if(stopped_early, null, round(denoised_interval.low, 6)) as denoised_low,
    if(stopped_early, null, round(denoised_interval.high, 6)) as denoised_high,
from summed
order by list_position(['train', 'unlabeled', 'dev', 'test'], split), split;
