-- pairs: what is known of the candidates that a scorer has scored, for queries that it was not trained on. Grain: one row per (query_key, passage_key).
-- kind: labelled (relevant by the qrels), relevant or irrelevant (by annotations, and not in the qrels) or unlabelled.
-- Candidates with the text of a positive are left out, because no score decides about them; so are unlabelled candidates
-- of queries without labels, among which no labelled one could be. fold: five parts of the queries, by hash.
-- The table hidden has every relevant passage of its queries, and counts like annotations of all their candidates.
-- weight: 1 over the chance with which an annotated pair was drawn, if its file says it; 1 for pairs that no verdict decides. If some annotations say it, pairs of
-- which none does are left out: nobody knows how many candidates they stand for.
-- $queries: at most this many, drawn by hash; those with annotations come first.
with hidden_queries as (
    select distinct queries.query_key from hidden inner join queries on queries.query_id = hidden.query_id
),
hidden_pairs as (
    select queries.query_key, passages.passage_key, max(hidden.relevance) > 0 as relevant
    from hidden
    inner join queries on queries.query_id = hidden.query_id
    inner join passages on passages.passage_id = hidden.passage_id
    group by queries.query_key, passages.passage_key
),
annotated as (
    select query_key, passage_key, 1 / min(coalesce(inclusion, if(is_said, null, 1))) as weight
    from annotations
    cross join (select count(inclusion) > 0 as is_said from annotations) as chances
    group by query_key, passage_key
),
annotated_queries as (
    select query_key from judgements where source = 'annotation'
    union
    select query_key from hidden_queries
),
asked as (
    select queries.query_key, queries.query_id, annotated_queries.query_key is not null as is_annotated
    from queries
    semi join (select query_key from usable_candidates where run_id = $run) as mined
        on mined.query_key = queries.query_key
    anti join (select query_key from seen_queries where scorer_id = $scorer) as seen
        on seen.query_key = queries.query_key
    left join annotated_queries on annotated_queries.query_key = queries.query_key
    semi join (select query_key from judgements union all select query_key from hidden_queries) as judged
        on judged.query_key = queries.query_key
    order by not is_annotated, draw($seed, queries.query_id, 'calibrate'), queries.query_key
    limit $queries
),
found as (
    select
        asked.query_key,
        candidates.passage_key,
        scores.logit,
        case
            when qrels.relevance > 0 then 'labelled'
            when judgements.relevant then 'relevant'
            when not judgements.relevant then 'irrelevant'
            when hidden_pairs.relevant then 'relevant'
            when hidden_queries.query_key is not null then 'irrelevant'
            else 'unlabelled'
        end as kind,
        draw($seed, asked.query_id, 'fold') % 5 as fold,
    from asked
    inner join usable_candidates as candidates
        on candidates.run_id = $run and candidates.query_key = asked.query_key and candidates.rank <= $depth
    inner join scores
        on scores.scorer_id = $scorer
        and scores.query_key = candidates.query_key
        and scores.passage_key = candidates.passage_key
    left join judgements
        on judgements.query_key = candidates.query_key and judgements.passage_key = candidates.passage_key
    left join qrels on qrels.query_key = candidates.query_key and qrels.passage_key = candidates.passage_key
    left join hidden_queries on hidden_queries.query_key = candidates.query_key
    left join hidden_pairs
        on hidden_pairs.query_key = candidates.query_key and hidden_pairs.passage_key = candidates.passage_key
    left join duplicates
        on duplicates.query_key = candidates.query_key and duplicates.passage_key = candidates.passage_key
    where
        (judgements.relevant is not null or duplicates.passage_key is null)
        and not (qrels.relevance is not null and (qrels.relevance <= 0 or not judgements.relevant))
),
labelled as (
    select distinct qrels.query_key from qrels where qrels.relevance > 0
),
sources as (
    select query_key, passage_key, string_agg(retriever, ' and ' order by retriever) as retriever
    from candidate_sources
    where run_id = $run
    group by query_key, passage_key
)
select
    found.query_key,
    found.passage_key,
    found.logit::double as logit,
    found.kind,
    case
        when found.kind in ('relevant', 'irrelevant') and annotated.query_key is not null then annotated.weight
        else 1
    end::double as weight,
    found.fold::integer as fold,
    coalesce(sources.retriever, runs.retriever) as retriever,
    case
        when length(passages.text) <= 250 then 'up to 250 characters'
        when length(passages.text) <= 500 then '251 to 500 characters'
        when length(passages.text) <= 1000 then '501 to 1,000 characters'
        else 'over 1,000 characters'
    end as passage_size,
from found
inner join passages on passages.passage_key = found.passage_key
inner join runs on runs.run_id = $run
left join sources on sources.query_key = found.query_key and sources.passage_key = found.passage_key
left join labelled on labelled.query_key = found.query_key
left join annotated on annotated.query_key = found.query_key and annotated.passage_key = found.passage_key
where
    (found.kind in ('relevant', 'irrelevant') or labelled.query_key is not null)
    and not (found.kind in ('relevant', 'irrelevant') and annotated.query_key is not null and annotated.weight is null)
order by found.query_key, found.passage_key;
