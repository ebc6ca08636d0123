-- taken_out: which share of each kind of pairs denoising takes out of the negatives, per cutoff. Grain: one row per (kind, part, cutoff, value).
-- cutoff: negative_below, with pairs that are not below it, or positive_above, with pairs above it. in_force: the value that
-- it has now. The others show what another negative_below would do; they are left out if $grid is false. part: all, or a
-- range of ranks, for the values in force. low, high: the 95 % interval, by query (macros/share_interval.sql).
-- relevant_taken, relevant: how many of those taken out, and of all, are relevant by their probabilities.
-- Parameters: $cutoffs, $grid.
with cuts as (
    select 'negative_below' as cutoff, value, max(in_force) as in_force
    from (
        select
            unnest([0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])::float
                as value,
            false as in_force,
        where $grid
        union all
        select negative_below, true from cutoffs where name = $cutoffs
    ) as values_of
    where value <= (select positive_above from cutoffs where name = $cutoffs)
    group by value
    union all
    select 'positive_above', positive_above, true from cutoffs where name = $cutoffs
),
ranges (first_rank, last_rank) as (
    values (1, 5), (6, 20), (21, 100), (101, 500), (501, 2147483647)
),
placed as (
    select
        pairs.kind,
        pairs.query_key,
        pairs.probability,
        ranges.first_rank,
    from pairs
    left join ranges on pairs."rank" between ranges.first_rank and ranges.last_rank
),
of_query as (
    select
        placed.kind,
        unnest(case when cuts.in_force and placed.first_rank is not null then [0, placed.first_rank] else [0] end)
            as first_rank,
        cuts.cutoff,
        cuts.value,
        cuts.in_force,
        placed.query_key,
        case
            when cuts.cutoff = 'negative_below' then not placed.probability < cuts.value
            else placed.probability > cuts.value
        end as is_taken,
        placed.probability,
    from placed
    cross join cuts
),
per_query as (
    select
        kind,
        first_rank,
        cutoff,
        value,
        in_force,
        count(*) filter (where is_taken) as taken,
        count(*) as pairs,
        coalesce(sum(probability::decimal(18, 9)) filter (where is_taken), 0) as relevant_taken,
        sum(probability::decimal(18, 9)) as relevant,
    from of_query
    group by kind, first_rank, cutoff, value, in_force, query_key
),
whole as (
    select
        kind,
        first_rank,
        cutoff,
        value,
        in_force,
        sum(taken)::bigint as taken,
        sum(pairs)::bigint as pairs,
        count(*) as queries,
        sum(relevant_taken)::double as relevant_taken,
        sum(relevant)::double as relevant,
        share_interval(taken, pairs) as "interval",
    from per_query
    group by kind, first_rank, cutoff, value, in_force
)
select
    whole.kind,
    case
        when whole.first_rank = 0 then 'all'
        when whole.first_rank = ranges.last_rank then concat('rank ', ranges.first_rank)
        when ranges.last_rank > cutoffs.depth then concat('ranks ', ranges.first_rank, '-', cutoffs.depth)
        else concat('ranks ', ranges.first_rank, '-', ranges.last_rank)
    end as part,
    whole.cutoff,
    whole.value::varchar::double as value,
    whole.in_force,
    whole.taken,
    whole.pairs,
    whole.queries,
    round(whole.taken / whole.pairs, 6) as share,
    round(whole."interval".low, 6) as low,
    round(whole."interval".high, 6) as high,
    whole.relevant_taken,
    whole.relevant,
from whole
inner join cutoffs on cutoffs.name = $cutoffs
left join ranges on ranges.first_rank = whole.first_rank
order by whole.kind, whole.first_rank, whole.cutoff, whole.value;
