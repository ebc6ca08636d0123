-- score_histogram: the distribution of the scorer's probabilities. Grain: one row per twentieth of [0, 1].
-- positives: labelled positives of the run's queries, whether they are candidates or not. unlabelled: candidates
-- in the top-k that no person judged. judged_irrelevant: those that people judged not relevant. random: passages that
-- were drawn by chance, one for each of some queries (macros/random_pairs.sql), if they are scored and not among the
-- others. Shares are per column. The last bin includes 1.0. A cutoff may fall inside a bin, because bins are coarse; the
-- decisions are exact.
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
        positives.query_key in (select query_key from found where cutoffs = $cutoffs and run_id = $run)
        and probabilities.probability is not null
),
drawn as (
    select query_key, passage_key from random_pairs($run)
),
random as (
    select probabilities.probability
    from drawn
    inner join probabilities
        on probabilities.cutoffs = $cutoffs
        and probabilities.query_key = drawn.query_key
        and probabilities.passage_key = drawn.passage_key
    anti join positives on positives.query_key = drawn.query_key and positives.passage_key = drawn.passage_key
    anti join (
        select found.query_key, found.passage_key
        from found
        semi join drawn on drawn.query_key = found.query_key and drawn.passage_key = found.passage_key
        where found.cutoffs = $cutoffs and found.run_id = $run
    ) as found
        on found.query_key = drawn.query_key and found.passage_key = drawn.passage_key
    where probabilities.probability is not null
),
counted as (
    select
        least(floor(probability * 20::float), 19)::integer as bin,
        0 as positives,
        count(*) filter (where decided_by <> 'people') as unlabelled,
        count(*) filter (where decided_by = 'people') as judged_irrelevant,
        0 as random,
    from found
    where cutoffs = $cutoffs and run_id = $run and is_judged(decision) and probability is not null
    group by bin
    union all
    select least(floor(probability * 20::float), 19)::integer as bin, count(*), 0, 0, 0 from labelled group by bin
    union all
    select least(floor(probability * 20::float), 19)::integer as bin, 0, 0, 0, count(*) from random group by bin
),
summed as (
    select
        bin,
        sum(positives)::bigint as positives,
        sum(unlabelled)::bigint as unlabelled,
        sum(judged_irrelevant)::bigint as judged_irrelevant,
        sum(random)::bigint as random,
    from counted
    group by bin
)
select
    bins.bin::integer as bin,
    bins.bin / 20 as low,
    (bins.bin + 1) / 20 as high,
    coalesce(summed.positives, 0) as positives,
    coalesce(summed.unlabelled, 0) as unlabelled,
    coalesce(summed.judged_irrelevant, 0) as judged_irrelevant,
    coalesce(summed.random, 0) as random,
    round(coalesce(summed.positives, 0) / nullif(sum(summed.positives) over (), 0), 6) as positives_share,
    round(coalesce(summed.unlabelled, 0) / nullif(sum(summed.unlabelled) over (), 0), 6) as unlabelled_share,
    round(coalesce(summed.random, 0) / nullif(sum(summed.random) over (), 0), 6) as random_share,
from range(20) as bins (bin)
left join summed on summed.bin = bins.bin
order by bins.bin;
