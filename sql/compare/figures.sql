-- figures: what the two sides of a comparison have of everything that a report counts, and the difference. Grain: one row per part and figure.
-- part: all, or a range of ranks. first, second: a share or a number for each query (unit). difference: second - first, with
-- its 95 % interval: both sides are asked of the same queries, which are the units (the variance of a difference of two
-- ratios, Cochran, Sampling Techniques, 1977, 6.12; Student's t by its expansion). Null for fewer than 5 queries, and if the
-- difference is the same in every query, which tells nothing of chance. paired: the queries that both sides have. A rate
-- is null where scoring stopped early (cutoffs.enough), as in denoised_by_rank, and for a side of which the scorer
-- decided nothing, as in headline.
-- All sums are integers, so that their order means nothing.
-- Parameters: $first_run, $first_cutoffs, $second_run, $second_cutoffs, $negatives.
with ranges (place, first_rank, last_rank, part) as (
    values
        (0, 1, 2147483647, 'all'),
        (1, 1, 1, 'rank 1'),
        (2, 2, 3, 'rank 2 to 3'),
        (3, 4, 5, 'rank 4 to 5'),
        (4, 6, 10, 'rank 6 to 10'),
        (5, 11, 20, 'rank 11 to 20'),
        (6, 21, 50, 'rank 21 to 50'),
        (7, 51, 100, 'rank 51 to 100'),
        (8, 101, 2147483647, 'rank over 100')
),
labelled as (
    select query_key, count(*) as positives from positives group by query_key
),
per_query as (
    select
        ranges.place,
        ranges.part,
        sides.side,
        sides.query_key,
        count(*) as candidates,
        count(*) filter (where sides.decision = 'positive') as positives,
        count(*) filter (where sides.decision = 'false_negative') as false_negatives,
        count(*) filter (where sides.decision = 'hard_negative') as hard_negatives,
        count(*) filter (where sides.decision = 'unscored') as unscored,
        count(*) filter (where sides.decided_by = 'scorer') as scored,
        count(*) filter (where is_denoised(sides.decision)) as denoised,
        count(*) filter (where is_judged(sides.decision) and sides.decided_by <> 'people') as unjudged,
    from sides
    inner join ranges on sides."rank" between ranges.first_rank and ranges.last_rank
    group by ranges.place, ranges.part, sides.side, sides.query_key
),
counted as (
    select
        place, part, side, query_key, 1 as step, 'false negatives' as figure, 'share' as unit,
        false_negatives as hits, unjudged as total
    from per_query
    union all
    select place, part, side, query_key, 2, 'denoised', 'share', denoised, unjudged from per_query
    union all
    select place, part, side, query_key, 3, 'hard negatives', 'share', hard_negatives, candidates from per_query
    where place = 0
    union all
    select place, part, side, query_key, 4, 'unscored', 'share', unscored, candidates from per_query where place = 0
    union all
    select
        place, part, side, query_key, 5, 'queries with enough hard negatives', 'share',
        (hard_negatives >= $negatives)::bigint, 1
    from per_query
    where place = 0
    union all
    select place, part, side, query_key, 6, 'hard negatives of a query', 'number', hard_negatives, 1 from per_query
    where place = 0
    union all
    select
        place, part, side, per_query.query_key, 7, 'labelled positives found', 'share', per_query.positives,
        labelled.positives
    from per_query
    inner join labelled on labelled.query_key = per_query.query_key
    where place = 0
),
paired as (
    select
        place,
        part,
        step,
        figure,
        unit,
        query_key,
        coalesce(max(hits) filter (where side = 1), 0)::hugeint as a,
        coalesce(max(total) filter (where side = 1), 0)::hugeint as x,
        coalesce(max(hits) filter (where side = 2), 0)::hugeint as b,
        coalesce(max(total) filter (where side = 2), 0)::hugeint as y,
    from counted
    group by place, part, step, figure, unit, query_key
),
summed as (
    select
        place,
        part,
        step,
        figure,
        unit,
        count(*) filter (where x > 0 or y > 0) as queries,
        count(*) filter (where x > 0 and y > 0) as paired,
        sum(a)::double / nullif(sum(x), 0)::double as first,
        sum(b)::double / nullif(sum(y), 0)::double as second,
        nullif(sum(x), 0)::double as of_first,
        nullif(sum(y), 0)::double as of_second,
        sum(a * a)::double as aa,
        sum(a * x)::double as ax,
        sum(x * x)::double as xx,
        sum(b * b)::double as bb,
        sum(b * y)::double as bw,
        sum(y * y)::double as yy,
        sum(a * b)::double as ab,
        sum(a * y)::double as ay,
        sum(x * b)::double as xb,
        sum(x * y)::double as xy,
    from paired
    group by place, part, step, figure, unit
),
varied as (
    select
        *,
        (aa - 2 * first * ax + first * first * xx) / of_first / of_first
        + (bb - 2 * second * bw + second * second * yy) / of_second / of_second
        - 2 * (ab - second * ay - first * xb + first * second * xy) / of_first / of_second as variance,
        if(
            queries >= 5 and variance > 1e-15,
            1.959964
            * (1 + 1.210365 / (queries - 1) + 1.440077 / power(queries - 1, 2))
            * sqrt(greatest(variance, 0) * queries / (queries - 1)),
            null
        ) as half,
    from summed
),
stopped as (
    select
        part as of_part,
        bool_or(
            unscored > 0
            and if(side = 1, enough_for($first_run, $first_cutoffs), enough_for($second_run, $second_cutoffs)) is not null
        ) as early,
    from per_query
    group by part
),
-- The text of a duplicate decides without a scorer. Where the scorer decided nothing, duplicates alone are no rate.
decides as (
    select
        coalesce(bool_or(side = 1 and scored > 0), false) as first_decides,
        coalesce(bool_or(side = 2 and scored > 0), false) as second_decides,
    from per_query
    where place = 0
),
told as (
    select
        varied.*,
        step > 2 or (not early and first_decides) as tells_first,
        step > 2 or (not early and second_decides) as tells_second,
        tells_first and tells_second as tells_both,
    from varied
    inner join stopped on stopped.of_part = varied.part
    cross join decides
)
select
    part,
    figure,
    unit,
    case when tells_first then round(first, 6) end as first,
    case when tells_second then round(second, 6) end as second,
    case when tells_both then round(second - first, 6) end as difference,
    case when tells_both then round(second - first - half, 6) end as low,
    case when tells_both then round(second - first + half, 6) end as high,
    queries,
    paired,
from told
order by place, step;
