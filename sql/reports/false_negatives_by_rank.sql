-- false_negatives_by_rank: how often an unlabelled candidate is relevant after all. Grain: one row per rank.
-- judged: unlabelled candidates that have a verdict (duplicate, false negative, uncertain or hard negative).
-- denoised: the judged ones that are no hard negative. Rates are shares of judged; unscored is in neither.
-- Parameters: $run, $cutoffs (ranks go down to their depth).
select
    rank,
    count(*) filter (where decision not in ('positive', 'unscored')) as judged,
    count(*) filter (where decision in ('false_negative', 'pseudo_positive')) as false_negatives,
    count(*) filter (where decision not in ('positive', 'unscored', 'hard_negative')) as denoised,
    count(*) filter (where decision = 'unscored') as unscored,
    round(false_negatives / nullif(judged, 0), 6) as false_negative_rate,
    round(denoised / nullif(judged, 0), 6) as denoised_rate,
from decisions
where cutoffs = $cutoffs and run_id = $run and rank <= (select depth from cutoffs where name = $cutoffs)
group by rank
order by rank;
