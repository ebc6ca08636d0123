-- import_not_ranked: why the third of three columns does not hold ranks. Grain: at most one row, of the first such query.
-- The ranks of a query begin at 1 and are distinct. Whole scores may do so too, but files list the best passage
-- first: ranks that fall in every query are scores.
with ranked as (
    select query_id, passage_id, min(line) as line, min(rank) as rank
    from run_lines
    where rank is not null
    group by query_id, passage_id
),
of_query as (
    select
        query_id,
        min(line) as line,
        min(rank) as first_rank,
        count(*) as passages,
        count(distinct rank) as ranks,
        corr(line, rank) < 0 as falls,
    from ranked
    group by query_id
),
explained as (
    select
        line,
        query_id,
        case
            when first_rank <> 1 then concat('they begin at ', first_rank)
            when ranks < passages then 'several passages have the same'
            when bool_and(falls) filter (where passages > 1) over () then 'they fall from line to line, as scores do'
        end as why,
    from of_query
)
select line, query_id, why from explained where why is not null order by line limit 1;
