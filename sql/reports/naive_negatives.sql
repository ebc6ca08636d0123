-- naive_negatives: what a miner would have trained on that takes the best-ranked unlabelled passages of each query as negatives. Grain: one row per decision.
-- It takes $negatives of each query with a label, in the order of the ranks. kept: hard negatives. The others are
-- rescued from that fate, or nobody knows (unscored). decided: what it takes that is not unscored. share: of these, with
-- its interval by query (macros/share_interval.sql); null for unscored. queries: those in which at least one is such.
-- Parameters: $run, $cutoffs, $negatives.
-- Example: curate sql naive_negatives -p cutoffs=strict
with taken as (
    select
        found.query_key,
        arg_min(found.decision, found."rank", $negatives) filter (where found.decision <> 'positive') as decisions,
    from found
    where found.cutoffs = $cutoffs and found.run_id = $run
    group by found.query_key
),
labelled as (
    select taken.decisions
    from taken
    semi join positives on positives.query_key = taken.query_key
    where len(taken.decisions) > 0
),
kinds (step, decision) as (
    values (1, 'hard_negative'), (2, 'false_negative'), (3, 'uncertain'), (4, 'duplicate'), (5, 'unscored')
),
per_query as (
    select
        kinds.step,
        kinds.decision,
        len(list_filter(labelled.decisions, lambda one: one = kinds.decision)) as pairs,
        len(labelled.decisions) as taken,
        len(list_filter(labelled.decisions, lambda one: one <> 'unscored')) as decided,
    from labelled
    cross join kinds
),
summed as (
    select
        step,
        decision,
        sum(pairs)::bigint as pairs,
        sum(taken)::bigint as taken,
        sum(decided)::bigint as decided,
        count(*) as queries_asked,
        count(*) filter (where pairs > 0) as queries,
        share_interval(pairs, decided) as "interval",
    from per_query
    group by step, decision
)
select
    decision,
    pairs,
    taken,
    decided,
    if(decision = 'unscored', null, round(pairs / nullif(decided, 0), 6)) as share,
    if(decision = 'unscored', null, round("interval".low, 6)) as low,
    if(decision = 'unscored', null, round("interval".high, 6)) as high,
    queries,
    queries_asked,
from summed
order by step;
