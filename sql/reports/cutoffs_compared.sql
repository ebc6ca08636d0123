-- cutoffs_compared: the decisions of each setting of the cutoffs on the same candidates. Grain: one row per name of cutoffs.
-- The columns count candidates down to each setting's own depth, by decision. judged_irrelevant: the hard negatives
-- that people judged not relevant, which no cutoff changes. pseudo_positives are on queries without labels. enough:
-- queries with $negatives or more hard negatives. Another setting needs no forward pass.
-- Parameters: $run, $negatives.
-- Example: curate sql cutoffs_compared -p negatives=8
with per_query as (
    select
        found.cutoffs,
        found.query_key,
        count(*) as candidates,
        count(*) filter (where found.decision = 'positive') as positives,
        count(*) filter (where found.decision = 'duplicate') as duplicates,
        count(*) filter (where found.decision = 'unscored') as unscored,
        count(*) filter (where found.decision = 'false_negative') as false_negatives,
        count(*) filter (where found.decision = 'pseudo_positive') as pseudo_positives,
        count(*) filter (where found.decision = 'uncertain') as uncertain,
        count(*) filter (where found.decision = 'hard_negative') as hard_negatives,
        count(*) filter (where found.decision = 'hard_negative' and found.decided_by = 'people')
            as judged_irrelevant,
    from found
    where found.run_id = $run
    group by found.cutoffs, found.query_key
)
select
    cutoffs.name,
    count(*) filter (where per_query.hard_negatives >= $negatives) as enough,
    coalesce(sum(per_query.hard_negatives), 0)::bigint as hard_negatives,
    coalesce(sum(per_query.judged_irrelevant), 0)::bigint as judged_irrelevant,
    coalesce(sum(per_query.false_negatives), 0)::bigint as false_negatives,
    coalesce(sum(per_query.pseudo_positives), 0)::bigint as pseudo_positives,
    coalesce(sum(per_query.uncertain), 0)::bigint as uncertain,
    coalesce(sum(per_query.unscored), 0)::bigint as unscored,
    round(cutoffs.negative_below::double, 6) as negative_below,
    round(cutoffs.positive_above::double, 6) as positive_above,
    round(cutoffs.duplicate_above::double, 6) as duplicate_above,
    cutoffs.depth,
    coalesce(sum(per_query.duplicates), 0)::bigint as duplicates,
    coalesce(sum(per_query.positives), 0)::bigint as positives,
    coalesce(sum(per_query.candidates), 0)::bigint as candidates,
    cutoffs.scorer_id,
    cutoffs.calibration_id,
    cutoffs.joined,
    cutoffs.judges,
from cutoffs
left join per_query on per_query.cutoffs = cutoffs.name
group by all
order by cutoffs.name;
