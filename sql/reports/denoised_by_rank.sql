-- denoised_by_rank: what denoising removed from the top-k, by rank. Grain: one row per bucket of ranks.
-- judged: candidates with a verdict but without a positive label = judged_irrelevant + unjudged. judged_irrelevant:
-- people judged them not relevant, so they are hard negatives. unjudged: no person judged them, and the scorer or
-- their text decided = duplicates + false_negatives + pseudo_positives + uncertain + the other hard_negatives.
-- denoised: unjudged candidates that are not hard negatives (RocketQA). pseudo_positives are on queries without
-- labels: they count as denoised, but not as false negatives. Rates are shares of unjudged: neither what people
-- judged nor what is unscored is in a rate. A rate is null where scoring stopped early (cutoffs.enough): there, only
-- queries with few negatives were scored, and their share is not that of all queries.
-- Parameters: $run, $cutoffs (ranks go down to their depth).
-- Example: curate sql denoised_by_rank -p cutoffs=strict
with buckets (first_rank, last_rank) as (
    values (1, 1), (2, 2), (3, 3), (4, 5), (6, 10), (11, 20), (21, 50), (51, 100), (101, 200), (201, 500),
        (501, 1000), (1001, 2147483647)
),
per_rank as (
    select rank, decision, decided_by, count(*) as pairs
    from found
    where cutoffs = $cutoffs and run_id = $run
    group by rank, decision, decided_by
),
summed as (
    select
        buckets.first_rank,
        max(per_rank.rank) as last_rank,
        sum(pairs) filter (where decision = 'positive') as positives,
        sum(pairs) filter (where decision = 'duplicate') as duplicates,
        sum(pairs) filter (where decision = 'false_negative') as false_negatives,
        sum(pairs) filter (where decision = 'pseudo_positive') as pseudo_positives,
        sum(pairs) filter (where decision = 'uncertain') as uncertain,
        sum(pairs) filter (where decision = 'hard_negative') as hard_negatives,
        sum(pairs) filter (where decision = 'unscored') as unscored,
        sum(pairs) filter (where is_judged(decision)) as judged,
        sum(pairs) filter (where is_judged(decision) and decided_by = 'people') as judged_irrelevant,
        sum(pairs) filter (where is_denoised(decision)) as denoised,
    from per_rank
    inner join buckets on per_rank.rank between buckets.first_rank and buckets.last_rank
    group by buckets.first_rank
),
whole as (
    select
        first_rank,
        last_rank,
        coalesce(duplicates, 0)::bigint as duplicates,
        coalesce(false_negatives, 0)::bigint as false_negatives,
        coalesce(pseudo_positives, 0)::bigint as pseudo_positives,
        coalesce(uncertain, 0)::bigint as uncertain,
        coalesce(hard_negatives, 0)::bigint as hard_negatives,
        coalesce(unscored, 0)::bigint as unscored,
        coalesce(positives, 0)::bigint as positives,
        coalesce(judged, 0)::bigint as judged,
        coalesce(judged_irrelevant, 0)::bigint as judged_irrelevant,
        coalesce(judged, 0)::bigint - coalesce(judged_irrelevant, 0)::bigint as unjudged,
        coalesce(denoised, 0)::bigint as denoised,
        coalesce(unscored, 0) > 0 and enough_for($run, $cutoffs) is not null as stopped_early,
    from summed
)
select
    first_rank,
    last_rank,
    unjudged,
    denoised,
    judged_irrelevant,
    judged,
    duplicates,
    false_negatives,
    pseudo_positives,
    uncertain,
    hard_negatives,
    unscored,
    positives,
    if(stopped_early, null, round(false_negatives / nullif(unjudged, 0), 6)) as false_negative_rate,
    if(stopped_early, null, round(denoised / nullif(unjudged, 0), 6)) as denoised_rate,
from whole
order by first_rank;
