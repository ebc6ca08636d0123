-- filtered_candidates: what each filter does with the unlabelled candidates of a run. Grain: one row per (filter, query_key, passage_key).
-- The candidates are those in the judged depth, of queries with a labelled positive, without labelled positives and
-- texts of a positive, which every filter leaves out. Labels are those of the qrels: annotations are the truth by which
-- a filter is measured. For the same reason curate's row has the decision of the scorer alone.
-- kept: whether the filter keeps it as a negative. null: unknown, because a score is (filters/lowest_positives.sql).
-- A filter that means nothing for the scores of the run's retriever has no rows.
create or replace macro filtered_candidates(of_run, of_cutoffs) as table
with positives_of as (
    select
        query_key,
        max(lowest) filter (where compares = 'retriever') as retriever_lowest,
        bool_or(is_bound) filter (where compares = 'retriever') as retriever_is_bound,
        max(lowest) filter (where compares = 'scorer') as scorer_lowest,
        bool_or(is_bound) filter (where compares = 'scorer') as scorer_is_bound,
    from lowest_positives(of_run, of_cutoffs)
    group by query_key
),
-- Materialized, the three relations below would have a row for each candidate and filter in memory: 13 GiB for 20 M.
-- What is known of the query is joined here, where a candidate is one row, and not once for each filter.
pool as not materialized (
    select
        found.query_key,
        found.passage_key,
        found."rank",
        found.retriever_score,
        found.probability,
        positives_of.* exclude (query_key),
    from found
    inner join positives_of on positives_of.query_key = found.query_key
    anti join (select query_key, passage_key from qrels where relevance > 0) as labelled
        on labelled.query_key = found.query_key and labelled.passage_key = found.passage_key
    where found.run_id = of_run and found.cutoffs = of_cutoffs and found.decision <> 'duplicate'
),
usable as (
    select filter_settings.*, cutoffs.negative_below
    from filter_settings
    inner join cutoffs on cutoffs.name = of_cutoffs
    inner join runs on runs.run_id = of_run
    where
        case filter_settings.needs
            when 'single' then runs.retriever in ('dense', 'bm25')
            when 'cosine'
                then runs.retriever = 'dense'
                -- Vectors are rounded, so that a cosine may be a little more than 1.
                and (select max(abs(score)) from usable_candidates where run_id = of_run) < 1.01
            else true
        end
),
compared as not materialized (
    select
        usable.filter,
        usable.skipped,
        usable.first_rank,
        usable.last_rank,
        usable.most,
        usable.absolute_margin,
        usable.relative_margin,
        usable.below_cutoff,
        usable.negative_below,
        usable.compares,
        pool.query_key,
        pool.passage_key,
        pool."rank",
        case usable.compares when 'scorer' then pool.probability else pool.retriever_score end as score,
        case usable.compares when 'scorer' then pool.scorer_lowest else pool.retriever_lowest end as lowest,
        case usable.compares when 'scorer' then pool.scorer_is_bound else pool.retriever_is_bound end as is_bound,
    from pool
    cross join usable
),
passed as not materialized (
    select
        filter,
        skipped,
        query_key,
        passage_key,
        "rank",
        case
            when "rank" < first_rank or "rank" > last_rank then false
            when compares = 'scorer' and score is null then null
            when below_cutoff then score < negative_below
            when score > most then false
            -- As mine_hard_negatives computes them, in float32. Each removes more if the positive's score is lower, so
            -- that what a bound removes is removed for certain.
            when score + absolute_margin > lowest then false
            when score > lowest - abs(lowest) * relative_margin then false
            when coalesce(absolute_margin, relative_margin) is not null and (lowest is null or is_bound) then null
            else true
        end as passes,
    from compared
),
-- Only a filter that skips some needs the places, which cost a window.
placed as (
    select
        *,
        count(*) filter (where passes) over places as certain,
        count(*) filter (where passes is distinct from false) over places as possible,
    from passed
    where skipped is not null
    window places as (partition by filter, query_key order by "rank")
)
select filter, query_key, passage_key, "rank", passes as kept
from passed
where skipped is null
union all
select
    filter,
    query_key,
    passage_key,
    "rank",
    case
        when passes = false or possible <= skipped then false
        when passes and certain > skipped then true
    end as kept,
from placed;
