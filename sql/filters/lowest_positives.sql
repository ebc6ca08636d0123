-- lowest_positives: the score of each query's labelled positive, of several the lowest one, as filters compare it. Grain: one row per (compares, query_key).
-- compares: whose score it is, that of the run's retriever or of the scorer of the cutoffs. Labels are those of the
-- qrels, because a filter knows no annotations. Only queries that the run asked have rows.
-- is_bound: the score is not known of every positive, and the lowest one is at most `lowest`, which is null if nothing
-- is known. An exact search that did not return a positive ranks it below the list, so that its score is at most the
-- last of the list, and may be the same. Nothing is known of it after an approximate search, in a run from elsewhere or of several
-- retrievers, if it was loaded after the run was made, or if the scorer has not scored it.
-- Source: mine_hard_negatives of sentence-transformers compares with the lowest of several positives.
create or replace macro lowest_positives(of_run, of_cutoffs) as table
with lists as (
    select query_key, min(score) as last_score from usable_candidates where run_id = of_run group by query_key
),
loads as (
    select number, (facts -> 'counts' ->> 'passages')::bigint as passages from stages where stage = 'load'
),
searched as (
    select
        runs.retriever = 'bm25' or (runs.retriever = 'dense' and runs.index = 'exact') as is_exact,
        -- Keys follow the order of the loads.
        (select count(*) from passages)
        - (
            select coalesce(sum(loads.passages), 0)
            from loads
            where loads.number > (select number from stages where job = of_run)
        ) as passages,
    from runs
    where runs.run_id = of_run
),
labelled as (
    select lists.query_key, qrels.passage_key, lists.last_score
    from lists
    inner join qrels on qrels.query_key = lists.query_key and qrels.relevance > 0
    anti join own_copies on own_copies.query_key = qrels.query_key and own_copies.passage_key = qrels.passage_key
),
known as (
    select
        'retriever' as compares,
        labelled.query_key,
        candidates.score,
        case when searched.is_exact and labelled.passage_key < searched.passages then labelled.last_score end as bound,
    from labelled
    cross join searched
    left join usable_candidates as candidates
        on candidates.run_id = of_run
        and candidates.query_key = labelled.query_key
        and candidates.passage_key = labelled.passage_key
    union all
    select 'scorer', labelled.query_key, probabilities.probability, null
    from labelled
    left join probabilities
        on probabilities.cutoffs = of_cutoffs
        and probabilities.query_key = labelled.query_key
        and probabilities.passage_key = labelled.passage_key
)
select compares, query_key, min(coalesce(score, bound)) as lowest, bool_or(score is null) as is_bound
from known
group by compares, query_key;
