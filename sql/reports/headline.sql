-- headline: what denoising found in the top-k of a run, in one row. Grain: one row.
-- The columns count as those of denoised_by_rank do, over all ranks. candidates: of `queries`. The rates and their
-- intervals are null if scoring stopped early (cutoffs.enough), because then not all candidates have a verdict, and if the
-- scorer decided nothing. scored: the unjudged candidates that the scorer decided; the others are duplicates, which the
-- text decided. labelled_queries: those with a positive; the others have pseudo-positives in place of false negatives.
-- Parameters: $run, $cutoffs (their depth is the k).
-- Example: curate sql headline -p cutoffs=strict
with per_query as (
    select
        found.query_key,
        any_value(labelled.query_key) is not null as is_labelled,
        count(*) as candidates,
        count(*) filter (where decision = 'positive') as positives,
        count(*) filter (where decision = 'duplicate') as duplicates,
        count(*) filter (where decision = 'false_negative') as false_negatives,
        count(*) filter (where decision = 'pseudo_positive') as pseudo_positives,
        count(*) filter (where decision = 'uncertain') as uncertain,
        count(*) filter (where decision = 'hard_negative') as hard_negatives,
        count(*) filter (where decision = 'unscored') as unscored,
        count(*) filter (where decision = 'hard_negative' and decided_by = 'people') as judged_irrelevant,
        duplicates + false_negatives + pseudo_positives + uncertain as denoised,
        count(*) filter (where decided_by = 'scorer') as scored,
        denoised + hard_negatives - judged_irrelevant as unjudged,
    from found
    left join (select distinct query_key from positives) as labelled on labelled.query_key = found.query_key
    where found.cutoffs = $cutoffs and found.run_id = $run
    group by found.query_key
),
whole as (
    select
        count(*) as queries,
        coalesce(sum(candidates), 0)::bigint as candidates,
        coalesce(sum(positives), 0)::bigint as positives,
        coalesce(sum(unjudged), 0)::bigint as unjudged,
        coalesce(sum(scored), 0)::bigint as scored,
        coalesce(sum(judged_irrelevant), 0)::bigint as judged_irrelevant,
        coalesce(sum(false_negatives), 0)::bigint as false_negatives,
        coalesce(sum(pseudo_positives), 0)::bigint as pseudo_positives,
        coalesce(sum(uncertain), 0)::bigint as uncertain,
        coalesce(sum(duplicates), 0)::bigint as duplicates,
        coalesce(sum(denoised), 0)::bigint as denoised,
        coalesce(sum(hard_negatives), 0)::bigint as hard_negatives,
        coalesce(sum(unscored), 0)::bigint as unscored,
        count(*) filter (where false_negatives > 0) as queries_with_false_negatives,
        count(*) filter (where is_labelled) as labelled_queries,
        sum(unscored) > 0 and enough_for($run, $cutoffs) is not null as stopped_early,
        share_interval(false_negatives, unjudged) as false_negative_interval,
        share_interval(denoised, unjudged) as denoised_interval,
    from per_query
)
select
    queries,
    labelled_queries,
    queries_with_false_negatives,
    candidates,
    positives,
    unjudged,
    scored,
    judged_irrelevant,
    false_negatives,
    pseudo_positives,
    uncertain,
    duplicates,
    denoised,
    hard_negatives,
    unscored,
    stopped_early,
    if(stopped_early or scored = 0, null, round(false_negatives / nullif(unjudged, 0), 6)) as false_negative_rate,
    if(stopped_early or scored = 0, null, round(false_negative_interval.low, 6)) as false_negative_low,
    if(stopped_early or scored = 0, null, round(false_negative_interval.high, 6)) as false_negative_high,
    if(stopped_early or scored = 0, null, round(denoised / nullif(unjudged, 0), 6)) as denoised_rate,
    if(stopped_early or scored = 0, null, round(denoised_interval.low, 6)) as denoised_low,
    if(stopped_early or scored = 0, null, round(denoised_interval.high, 6)) as denoised_high,
from whole;
