-- shortfall: how many hard negatives the queries get. Grain: one row per number of hard negatives, the last for N or more.
-- hard_negatives: the number. enough: whether it reaches $negatives. Queries without candidates count as 0.
-- A query with too few hard negatives gets fewer negatives; unscored candidates never fill the gap.
-- Parameters: $run, $cutoffs, $negatives: the N.
-- Example: curate sql shortfall -p negatives=4
with per_query as (
    select least(count(*) filter (where decision = 'hard_negative'), $negatives) as hard_negatives
    from found
    where cutoffs = $cutoffs and run_id = $run
    group by query_key
),
counted as (
    select hard_negatives, count(*) as many from per_query group by hard_negatives
),
totals as (
    select runs.queries as mined, runs.queries - (select count(*) from per_query) as without_candidates
    from runs
    where runs.run_id = $run
)
select
    numbers.number::integer as hard_negatives,
    numbers.number >= $negatives as enough,
    (coalesce(counted.many, 0) + if(numbers.number = 0, totals.without_candidates, 0))::bigint as queries,
    round(queries / nullif(totals.mined, 0), 6) as share,
from range($negatives::bigint + 1) as numbers (number)
cross join totals
left join counted on counted.hard_negatives = numbers.number
order by numbers.number;
