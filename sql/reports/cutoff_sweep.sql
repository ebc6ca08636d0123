-- cutoff_sweep: what other values of negative_below would keep and cost; positive_above stays. Grain: one row per cutoff.
-- kept: hard negatives, with those that people judged not relevant. denoised: unjudged candidates that are not kept.
-- positives_lost: labelled positives below the cutoff, of queries that the scorer was not trained on: what it would take
-- for a negative if nobody had labelled it. Its share is that of all such positives with a score. short: queries of the
-- run with fewer hard negatives than $negatives. in_force: the value that the cutoffs have now. Nothing is scored again.
-- Parameters: $run, $cutoffs, $negatives.
-- Example: curate sql cutoff_sweep -p cutoffs=strict
with grid as (
    select cut, max(in_force) as in_force
    from (
        select
            unnest([0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])::float
                as cut,
            false as in_force,
        union all
        select negative_below, true from cutoffs where name = $cutoffs
    ) as cuts
    where cut <= (select positive_above from cutoffs where name = $cutoffs)
    group by cut
),
-- histogram() counts up to and including a bound, so that of the negative values it counts what a cutoff does not keep.
bounds as (
    select list(-cut order by -cut) as of_grid from grid
),
-- What people judged not relevant is kept by every cutoff.
pairs as (
    select query_key, decision, if(decided_by = 'people', -1, probability) as probability
    from found
    where cutoffs = $cutoffs and run_id = $run and is_judged(decision)
),
judged as (
    select query_key, probability from pairs where decision <> 'duplicate'
),
last_needed as (
    select query_key, list_extract(min(probability, $negatives), $negatives) as probability
    from judged
    group by query_key
),
seen as (
    select query_key from seen_by_judges where cutoffs = $cutoffs
),
labelled as (
    select probabilities.probability
    from positives
    inner join queries on queries.query_key = positives.query_key
    inner join runs on runs.run_id = $run and runs.split = queries.split
    inner join probabilities
        on probabilities.cutoffs = $cutoffs
        and probabilities.query_key = positives.query_key
        and probabilities.passage_key = positives.passage_key
    anti join seen on seen.query_key = positives.query_key
    where probabilities.probability is not null
),
not_below as (
    select 'judged' as what, histogram(-probability, (select of_grid from bounds)) as counts, count(*) as total from judged
    union all
    select 'enough', histogram(-probability, (select of_grid from bounds)), count(probability) from last_needed
    union all
    select 'labelled', histogram(-probability, (select of_grid from bounds)), count(*) from labelled
),
entries as (
    select what, total, unnest(map_entries(counts)) as entry from not_below
),
below as (
    select
        grid.cut,
        grid.in_force,
        entries.what,
        entries.total - coalesce(sum(entries.entry.value) filter (where entries.entry.key <= -grid.cut), 0) as number,
        entries.total,
    from grid
    cross join entries
    group by grid.cut, grid.in_force, entries.what, entries.total
),
by_cut as (
    select
        cut,
        in_force,
        coalesce(max(number) filter (where what = 'judged'), 0)::bigint as kept,
        coalesce(max(number) filter (where what = 'enough'), 0)::bigint as enough,
        coalesce(max(number) filter (where what = 'labelled'), 0)::bigint as positives_lost,
        coalesce(max(total) filter (where what = 'labelled'), 0)::bigint as positives,
    from below
    group by cut, in_force
),
totals as (
    select count(*) as judged, count(*) filter (where probability = -1) as judged_irrelevant from pairs
)
select
    by_cut.cut::varchar::double as negative_below,
    by_cut.in_force,
    by_cut.kept,
    totals.judged - by_cut.kept as denoised,
    round(by_cut.kept / nullif(totals.judged, 0), 6) as kept_share,
    by_cut.positives_lost,
    by_cut.positives,
    round(by_cut.positives_lost / nullif(by_cut.positives, 0), 6) as positives_lost_share,
    runs.queries - by_cut.enough as short,
    round((runs.queries - by_cut.enough) / nullif(runs.queries, 0), 6) as short_share,
from by_cut
right join grid on grid.cut = by_cut.cut
cross join totals
inner join runs on runs.run_id = $run
order by grid.cut;
