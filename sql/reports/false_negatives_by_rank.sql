-- false_negatives_by_rank: how often an unlabelled candidate is relevant after all, by rank. Grain: one row per rank.
-- judged, judged_irrelevant, unjudged, denoised, pseudo_positives and the rates: see denoised_by_rank.
-- Parameters: $run, $cutoffs (ranks go down to their depth).
-- The query counts pairs by decision first: deriving each pair's decision again would take longer than the joins.
-- Example: curate sql false_negatives_by_rank --format csv
with counted as (
    select rank, decision, decided_by, count(*) as pairs
    from found
    where cutoffs = $cutoffs and run_id = $run
    group by rank, decision, decided_by
),
summed as (
    select
        rank,
        coalesce(sum(pairs) filter (where is_judged(decision)), 0)::bigint as judged,
        coalesce(sum(pairs) filter (where is_judged(decision) and decided_by = 'people'), 0)::bigint
            as judged_irrelevant,
        judged - judged_irrelevant as unjudged,
        coalesce(sum(pairs) filter (where decision = 'false_negative'), 0)::bigint as false_negatives,
        coalesce(sum(pairs) filter (where decision = 'pseudo_positive'), 0)::bigint as pseudo_positives,
        coalesce(sum(pairs) filter (where is_denoised(decision)), 0)::bigint as denoised,
        coalesce(sum(pairs) filter (where decision = 'duplicate'), 0)::bigint as duplicates,
        coalesce(sum(pairs) filter (where decision = 'uncertain'), 0)::bigint as uncertain,
        coalesce(sum(pairs) filter (where decision = 'unscored'), 0)::bigint as unscored,
        unscored > 0 and enough_for($run, $cutoffs) is not null as stopped_early,
    from counted
    group by rank
)
select
    rank,
    unjudged,
    denoised,
    judged_irrelevant,
    judged,
    false_negatives,
    pseudo_positives,
    uncertain,
    duplicates,
    unscored,
    if(stopped_early, null, round(false_negatives / nullif(unjudged, 0), 6)) as false_negative_rate,
    if(stopped_early, null, round(denoised / nullif(unjudged, 0), 6)) as denoised_rate,
from summed
order by rank;
