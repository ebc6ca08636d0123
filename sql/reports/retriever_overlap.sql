-- retriever_overlap: which of a run's retrievers found the same candidates, and what is relevant among them. Grain: one row per set of retrievers.
-- share: of all candidates in the judged depth. For unjudged, false_negatives and the rate, see denoised_by_rank. positives:
-- labelled ones among the candidates. A run of one retriever has one row.
-- Parameters: $run, $cutoffs.
-- Example: curate sql retriever_overlap -p cutoffs=strict
with pairs as (
    select query_key, passage_key, decision, decided_by
    from found
    where cutoffs = $cutoffs and run_id = $run
),
finders as (
    select query_key, passage_key, list(distinct retriever order by retriever) as retrievers
    from candidate_sources
    where run_id = $run
    group by query_key, passage_key
),
counted as (
    select
        finders.retrievers,
        count(*) as candidates,
        count(*) filter (where pairs.decision = 'positive') as positives,
        count(*) filter (where is_judged(pairs.decision) and pairs.decided_by <> 'people') as unjudged,
        count(*) filter (where pairs.decision = 'false_negative') as false_negatives,
        count(*) filter (where pairs.decision = 'hard_negative') as hard_negatives,
        count(*) filter (where pairs.decision = 'unscored') as unscored,
    from pairs
    inner join finders on finders.query_key = pairs.query_key and finders.passage_key = pairs.passage_key
    group by finders.retrievers
)
select
    array_to_string(retrievers, ' and ') as found_by,
    len(retrievers) as retrievers,
    candidates,
    round(candidates / sum(candidates) over (), 6) as share,
    positives,
    unjudged,
    false_negatives,
    hard_negatives,
    unscored,
    if(
        unscored > 0 and enough_for($run, $cutoffs) is not null, null, round(false_negatives / nullif(unjudged, 0), 6)
    ) as false_negative_rate,
from counted
order by retrievers desc, found_by;
