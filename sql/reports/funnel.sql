-- funnel: how a run's top-k candidates become hard negatives, and how many queries get enough of them. Grain: one row per step.
-- unit: what is counted, pairs (query, passage) or queries. part: all, taken away, left over, or
-- of these (a part of the row above).
-- share: the share of all pairs or of all queries. pseudo-positives: passages that the scorer holds relevant, on
-- queries without labels. They are not false negatives, because no label contradicts them. judged not relevant: the
-- hard negatives of which people said so; the others are below the cutoff. The rows of these two appear only if
-- they count something, and step numbers the rows that appear.
-- Parameters: $run, $cutoffs (their depth is the k), $negatives: how many hard negatives a query should have.
-- Example: curate sql funnel -p cutoffs=strict -p negatives=8
with judged as (
    select query_key, decision, decided_by
    from found
    where cutoffs = $cutoffs and run_id = $run
),
per_query as (
    select
        query_key,
        count(*) as candidates,
        count(*) filter (where decision = 'positive') as positives,
        count(*) filter (where decision = 'duplicate') as duplicates,
        count(*) filter (where decision = 'unscored') as unscored,
        count(*) filter (where decision = 'false_negative') as false_negatives,
        count(*) filter (where decision = 'pseudo_positive') as pseudo_positives,
        count(*) filter (where decision = 'uncertain') as uncertain,
        count(*) filter (where decision = 'hard_negative') as hard_negatives,
        count(*) filter (where decision = 'hard_negative' and decided_by = 'people') as judged_irrelevant,
    from judged
    group by query_key
),
pairs as (
    select
        coalesce(sum(candidates), 0)::bigint as candidates,
        coalesce(sum(positives), 0)::bigint as positives,
        coalesce(sum(duplicates), 0)::bigint as duplicates,
        coalesce(sum(unscored), 0)::bigint as unscored,
        coalesce(sum(false_negatives), 0)::bigint as false_negatives,
        coalesce(sum(pseudo_positives), 0)::bigint as pseudo_positives,
        coalesce(sum(uncertain), 0)::bigint as uncertain,
        coalesce(sum(hard_negatives), 0)::bigint as hard_negatives,
        coalesce(sum(judged_irrelevant), 0)::bigint as judged_irrelevant,
        count(*) filter (where hard_negatives >= $negatives) as enough,
        count(*) filter (where hard_negatives between 1 and $negatives - 1) as short,
    from per_query
),
mined as (
    select queries from runs where run_id = $run
)
select
    row_number() over (order by steps.step) as step,
    steps.unit,
    steps.part,
    steps.what,
    steps.number,
    round(steps.number / nullif(steps.total, 0), 6) as share,
from
    (
        select 1 as step, 'pairs' as unit, 'all' as part, 'candidates in the top-k' as what,
            candidates as number, candidates as total from pairs
        union all
        select 2, 'pairs', 'taken away', 'labelled positives', positives, candidates from pairs
        union all
        select 3, 'pairs', 'taken away', 'duplicates of a positive', duplicates, candidates from pairs
        union all
        select 4, 'pairs', 'taken away', 'unscored', unscored, candidates from pairs
        union all
        select 5, 'pairs', 'taken away', 'false negatives', false_negatives, candidates from pairs
        union all
        select 6, 'pairs', 'taken away', 'pseudo-positives', pseudo_positives, candidates from pairs
        union all
        select 7, 'pairs', 'taken away', 'uncertain', uncertain, candidates from pairs
        union all
        select 8, 'pairs', 'left over', 'hard negatives', hard_negatives, candidates from pairs
        union all
        select 9, 'pairs', 'of these', 'judged not relevant by people', judged_irrelevant, candidates from pairs
        union all
        select 10, 'queries', 'all', 'queries of the run', queries, queries from mined
        union all
        select 11, 'queries', 'left over', 'with ' || $negatives || ' or more hard negatives', enough, queries from pairs, mined
        union all
        select 12, 'queries', 'left over', 'with fewer', short, queries from pairs, mined
        union all
        select 13, 'queries', 'taken away', 'with none', queries - enough - short, queries from pairs, mined
    ) as steps
where steps.what not in ('pseudo-positives', 'judged not relevant by people') or steps.number > 0
order by steps.step;
