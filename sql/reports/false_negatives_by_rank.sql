-- false_negatives_by_rank: how often an unlabelled candidate is relevant after all. Grain: one row per rank.
-- judged: candidates without a positive label that have a verdict (duplicate, false negative, pseudo-positive,
-- uncertain or hard negative; a pair that people judged not relevant is a hard negative).
-- pseudo_positives, on queries without labels, are denoised but no false negatives.
-- denoised: the judged ones that are no hard negative. Rates are shares of judged; unscored is in neither.
-- Parameters: $run, $cutoffs (ranks go down to their depth).
-- The pairs are counted by decision first: comparing each pair's decision again would take longer than the joins.
with counted as (
    select rank, decision, count(*) as pairs
    from found
    where cutoffs = $cutoffs and run_id = $run
    group by rank, decision
),
summed as (
    select
        rank,
        coalesce(sum(pairs) filter (where is_judged(decision)), 0)::bigint as judged,
        coalesce(sum(pairs) filter (where decision = 'false_negative'), 0)::bigint as false_negatives,
        coalesce(sum(pairs) filter (where decision = 'pseudo_positive'), 0)::bigint as pseudo_positives,
        coalesce(sum(pairs) filter (where is_denoised(decision)), 0)::bigint as denoised,
        coalesce(sum(pairs) filter (where decision = 'unscored'), 0)::bigint as unscored,
    from counted
    group by rank
)
select
    rank,
    judged,
    false_negatives,
    pseudo_positives,
    denoised,
    unscored,
    round(false_negatives / nullif(judged, 0), 6) as false_negative_rate,
    round(denoised / nullif(judged, 0), 6) as denoised_rate,
from summed
order by rank;
