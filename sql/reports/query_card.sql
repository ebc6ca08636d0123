-- query_card: all candidates and labelled positives of one query, with what is known about them. Grain: one row per passage.
-- rank: the rank in the run, or null for a labelled positive that the retriever did not find. decision and
-- decided_by (people, scorer or text): see the view decisions. Candidates beyond the cutoffs' depth are mostly unscored.
-- Parameters: $query (the id in your own files), $run, $cutoffs, $limit.
-- Example: curate sql query_card -p query=q17 -p limit=50
with asked as (
    select query_key, query_id, text from queries where query_id = $query
),
listed as (
    select
        decisions.query_key,
        decisions.passage_key,
        decisions.rank,
        decisions.retriever_score,
        decisions.probability,
        decisions.decision,
        decisions.decided_by,
    from decisions
    where
        decisions.cutoffs = $cutoffs
        and decisions.run_id = $run
        and decisions.query_key in (select query_key from asked)
),
missed as (
    select
        positives.query_key,
        positives.passage_key,
        null::integer as rank,
        null::float as retriever_score,
        probabilities.probability,
        'positive' as decision,
        'people' as decided_by,
    from positives
    semi join asked on asked.query_key = positives.query_key
    anti join listed on listed.passage_key = positives.passage_key
    left join probabilities
        on probabilities.cutoffs = $cutoffs
        and probabilities.query_key = positives.query_key
        and probabilities.passage_key = positives.passage_key
)
select
    asked.query_id,
    asked.text as query,
    evidence.rank,
    evidence.decision,
    evidence.decided_by,
    round(evidence.probability::double, 4) as probability,
    round(evidence.retriever_score::double, 4) as retriever_score,
    passages.passage_id,
    passage_text(passages.title, passages.text) as passage,
from (
    select query_key, passage_key, rank, retriever_score, probability, decision, decided_by from listed
    union all
    select query_key, passage_key, rank, retriever_score, probability, decision, decided_by from missed
) as evidence
inner join asked on asked.query_key = evidence.query_key
inner join passages on passages.passage_key = evidence.passage_key
order by evidence.rank nulls first, evidence.passage_key
limit $limit;
