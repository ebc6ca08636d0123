-- score_histogram: the distribution of the scorer's probabilities. Grain: one row per twentieth of [0, 1].
-- positives: labelled positives of the run's queries, whether they are candidates or not. unlabelled: candidates
-- in the top-k that no person judged. judged_irrelevant: those that people judged not relevant. Shares are per column. The last bin includes 1.0. A cutoff may fall
-- inside a bin, because bins are coarse; the decisions are exact.
-- Parameters: $run, $cutoffs.
-- Example: curate sql score_histogram -p run=RUN
with labelled as (
    select probabilities.probability
    from positives
    inner join probabilities
        on probabilities.cutoffs = $cutoffs
        and probabilities.query_key = positives.query_key
        and probabilities.passage_key = positives.passage_key
    where
        positives.query_key in (select query_key from candidates where run_id = $run)
        and probabilities.probability is not null
),
unlabelled as (
    select probability, decided_by = 'people' as is_judged_irrelevant
    from found
    where
        cutoffs = $cutoffs
        and run_id = $run
        and is_judged(decision)
        and probability is not null
),
counted as (
    select
        least(floor(probability * 20::float), 19)::integer as bin,
        count(*) filter (where is_labelled) as positives,
        count(*) filter (where not is_labelled and not is_judged_irrelevant) as unlabelled,
        count(*) filter (where is_judged_irrelevant) as judged_irrelevant,
    from (
        select probability, true as is_labelled, false as is_judged_irrelevant from labelled
        union all
        select probability, false as is_labelled, is_judged_irrelevant from unlabelled
    ) as evidence
    group by bin
)
select
    bins.bin::integer as bin,
    bins.bin / 20 as low,
    (bins.bin + 1) / 20 as high,
    coalesce(counted.positives, 0) as positives,
    coalesce(counted.unlabelled, 0) as unlabelled,
    coalesce(counted.judged_irrelevant, 0) as judged_irrelevant,
    round(coalesce(counted.positives, 0) / nullif(sum(counted.positives) over (), 0), 6) as positives_share,
    round(coalesce(counted.unlabelled, 0) / nullif(sum(counted.unlabelled) over (), 0), 6) as unlabelled_share,
from range(20) as bins (bin)
left join counted on counted.bin = bins.bin
order by bins.bin;
