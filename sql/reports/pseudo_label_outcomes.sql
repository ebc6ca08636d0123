-- pseudo_label_outcomes: how many queries without labels got a pseudo-label, and why the others did not. Grain: one row per outcome.
-- A query's outcome is that of its best candidate in the top-k. Nothing is guessed: no candidate, no pseudo-label.
-- Only queries of the run count, also among those that are left out: queries loaded later appear in no outcome.
-- Parameters: $run (over the queries without labels), $cutoffs.
-- Example: curate sql pseudo_label_outcomes
with left_out as (
    select query_key from leaked_queries
    union
    select query_key from positives -- annotated since: these queries have labels now
),
best as (
    select
        query_key,
        case
            when bool_or(decision = 'pseudo_positive') then 1
            when bool_or(decision = 'uncertain') then 2
            when bool_or(decision = 'unscored') then 4
            else 3
        end as step,
    from found
    where
        cutoffs = $cutoffs
        and run_id = $run
        and query_key not in (select query_key from left_out)
    group by query_key
),
steps (step, outcome) as (
    values
        (1, 'pseudo-labelled: a passage above positive_above'),
        (2, 'none: the best passage lies between the cutoffs'),
        (3, 'none: every passage lies below negative_below'),
        (4, 'none: some passages are unscored'),
        (5, 'none: no passage was found'),
        (6, 'left out: dev or test asks the same')
),
leaked as (
    select count(distinct query_key) as queries
    from candidates
    where run_id = $run and query_key in (select query_key from leaked_queries)
),
apart as (
    select count(distinct query_key) as queries
    from candidates
    where run_id = $run and query_key in (select query_key from left_out)
),
counted as (
    select step, count(*) as queries from best group by step
    union all
    select 5 as step, greatest(runs.queries - (select count(*) from best) - apart.queries, 0) as queries
    from runs, apart
    where runs.run_id = $run
    union all
    select 6 as step, queries from leaked
)
select
    steps.outcome,
    coalesce(counted.queries, 0) as queries,
    round(coalesce(counted.queries, 0) / nullif(sum(counted.queries) over (), 0), 6) as share,
from steps
left join counted on counted.step = steps.step
order by steps.step;
