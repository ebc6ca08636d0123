-- denoised_by_rank: what denoising removed from the top-k, by rank. Grain: one row per bucket of ranks.
-- judged: candidates with a verdict but without a positive label = judged_irrelevant + unjudged. judged_irrelevant:
-- people judged them not relevant, so they are hard negatives. unjudged: no person judged them, and the scorer or
-- their text decided = duplicates + false_negatives + pseudo_positives + uncertain + the other hard_negatives.
-- denoised: unjudged candidates that are not hard negatives (RocketQA). pseudo_positives are on queries without
-- labels: they count as denoised, but not as false negatives. Rates are shares of unjudged: neither what people
-- judged nor what is unscored is in a rate. A rate is null where scoring stopped early (cutoffs.enough): there, only
-- queries with few negatives were scored, and their share is not that of all queries.
-- The ends of intervals (low, high) hold 95 %, by query (macros/share_interval.sql). They tell how much the share would
-- vary with other queries, and nothing of how often the scorer is wrong.
-- Parameters: $run, $cutoffs (ranks go down to their depth).
-- Example: curate sql denoised_by_rank -p cutoffs=strict
with per_query as (
    select
        query_key,
        case
            when "rank" <= 3 then "rank"
            when "rank" <= 5 then 4
            when "rank" <= 10 then 6
            when "rank" <= 20 then 11
            when "rank" <= 50 then 21
            when "rank" <= 100 then 51
            when "rank" <= 200 then 101
            when "rank" <= 500 then 201
            when "rank" <= 1000 then 501
            else 1001
        end as first_rank,
        max("rank") as last_rank,
        count(*) filter (where decision = 'positive') as positives,
        count(*) filter (where decision = 'duplicate') as duplicates,
        count(*) filter (where decision = 'false_negative') as false_negatives,
        count(*) filter (where decision = 'pseudo_positive') as pseudo_positives,
        count(*) filter (where decision = 'uncertain') as uncertain,
        count(*) filter (where decision = 'hard_negative') as hard_negatives,
        count(*) filter (where decision = 'unscored') as unscored,
        count(*) filter (where decision = 'hard_negative' and decided_by = 'people') as judged_irrelevant,
        duplicates + false_negatives + pseudo_positives + uncertain as denoised,
        denoised + hard_negatives - judged_irrelevant as unjudged,
    from found
    where cutoffs = $cutoffs and run_id = $run
    group by query_key, first_rank
),
whole as (
    select
        first_rank,
        max(last_rank) as last_rank,
        sum(unjudged)::bigint as unjudged,
        sum(denoised)::bigint as denoised,
        sum(judged_irrelevant)::bigint as judged_irrelevant,
        sum(unjudged + judged_irrelevant)::bigint as judged,
        sum(duplicates)::bigint as duplicates,
        sum(false_negatives)::bigint as false_negatives,
        sum(pseudo_positives)::bigint as pseudo_positives,
        sum(uncertain)::bigint as uncertain,
        sum(hard_negatives)::bigint as hard_negatives,
        sum(unscored)::bigint as unscored,
        sum(positives)::bigint as positives,
        sum(unscored) > 0 and enough_for($run, $cutoffs) is not null as stopped_early,
        share_interval(false_negatives, unjudged) as false_negative_interval,
        share_interval(denoised, unjudged) as denoised_interval,
    from per_query
    group by first_rank
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
    if(stopped_early, null, round(false_negative_interval.low, 6)) as false_negative_low,
    if(stopped_early, null, round(false_negative_interval.high, 6)) as false_negative_high,
    if(stopped_early, null, round(denoised / nullif(unjudged, 0), 6)) as denoised_rate,
    if(stopped_early, null, round(denoised_interval.low, 6)) as denoised_low,
    if(stopped_early, null, round(denoised_interval.high, 6)) as denoised_high,
from whole
order by first_rank;
