-- false_negatives_by_rank: how often an unlabelled candidate is relevant after all, by rank. Grain: one row per rank.
-- judged: candidates with a verdict but without a positive label (duplicate, false negative, pseudo-positive,
-- uncertain or hard negative, which includes pairs that people judged not relevant).
-- pseudo_positives are on queries without labels: they count as denoised, but not as false negatives.
-- denoised: judged candidates that are not hard negatives. Rates are shares of judged; unscored candidates are in
-- none.
-- Parameters: $run, $cutoffs (ranks go down to their depth).
-- The query counts pairs by decision first: deriving each pair's decision again would take longer than the joins.
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
