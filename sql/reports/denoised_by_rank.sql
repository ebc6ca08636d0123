-- denoised_by_rank: what denoising took out of the top-k, by how high it stood. Grain: one row per bucket of ranks.
-- judged: unlabelled candidates that have a verdict = duplicates + false_negatives + uncertain + hard_negatives.
-- denoised: judged, and no hard negative (RocketQA). unscored candidates have no verdict: they are in no rate.
-- false_negatives counts pseudo-positives too, on queries without labels. Rates are shares of judged.
-- Parameters: $run, $cutoffs (ranks go down to their depth).
with buckets (first_rank, last_rank) as (
    values (1, 1), (2, 2), (3, 3), (4, 5), (6, 10), (11, 20), (21, 50), (51, 100), (101, 200), (201, 500),
        (501, 1000), (1001, 2147483647)
),
per_rank as (
    select
        rank,
        count(*) filter (where decision = 'positive') as positives,
        count(*) filter (where decision = 'duplicate') as duplicates,
        count(*) filter (where decision in ('false_negative', 'pseudo_positive')) as false_negatives,
        count(*) filter (where decision = 'uncertain') as uncertain,
        count(*) filter (where decision = 'hard_negative') as hard_negatives,
        count(*) filter (where decision = 'unscored') as unscored,
    from decisions
    where cutoffs = $cutoffs and run_id = $run and rank <= (select depth from cutoffs where name = $cutoffs)
    group by rank
)
select
    buckets.first_rank,
    max(per_rank.rank) as last_rank,
    sum(duplicates + false_negatives + uncertain + hard_negatives)::bigint as judged,
    sum(per_rank.duplicates)::bigint as duplicates,
    sum(per_rank.false_negatives)::bigint as false_negatives,
    sum(per_rank.uncertain)::bigint as uncertain,
    sum(per_rank.hard_negatives)::bigint as hard_negatives,
    sum(per_rank.unscored)::bigint as unscored,
    sum(per_rank.positives)::bigint as positives,
    round(sum(per_rank.false_negatives) / nullif(judged, 0), 6) as false_negative_rate,
    round((judged - sum(per_rank.hard_negatives)) / nullif(judged, 0), 6) as denoised_rate,
from per_rank
inner join buckets on per_rank.rank between buckets.first_rank and buckets.last_rank
group by buckets.first_rank
order by buckets.first_rank;
