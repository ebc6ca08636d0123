-- export_positives: the positives of a block. Grain: one row per (query_key, passage_key).
-- positive_source: qrels | annotation | promoted (a false negative, if asked for) | pseudo (of an unlabeled question).
-- As in views/pseudo_labels.sql, but the best of all the runs together.
-- repeated: the question has this text already, under another passage.
create or replace temp table export_positives as
with pseudo as (
    select export_found.query_key, export_found.passage_key
    from export_found
    inner join export_queries on export_queries.query_key = export_found.query_key
    inner join cutoffs on cutoffs.name = $cutoffs
    where export_queries.split = 'unlabeled' and export_found.decision = 'pseudo_positive'
    qualify
        cutoffs.pseudo_positives = 'all'
        or row_number() over (
            partition by export_found.query_key
            order by export_found.probability desc, export_found.rank, export_found.passage_key
        ) = 1
),
every as (
    select query_key, passage_key, source as positive_source, 0 as precedence
    from judgements
    where relevant and query_key between $first and $last
    union all
    select query_key, passage_key, 'promoted', 1 from export_found where $promote and decision = 'false_negative'
    union all
    select query_key, passage_key, 'pseudo', 2 from pseudo
)
select
    every.query_key,
    every.passage_key,
    every.positive_source,
    scored.probability,
    passages.text_hash,
    row_number() over (partition by every.query_key order by every.precedence, every.passage_key) as place,
    row_number() over (
        partition by every.query_key, passages.text_hash order by every.precedence, every.passage_key
    ) > 1 as repeated,
from every
semi join export_queries on export_queries.query_key = every.query_key
inner join passages on passages.passage_key = every.passage_key
left join (
    select scores.query_key, scores.passage_key, probability(scores.logit) as probability
    from scores
    inner join cutoffs on cutoffs.scorer_id = scores.scorer_id
    where cutoffs.name = $cutoffs and scores.query_key between $first and $last
) as scored
    on scored.query_key = every.query_key and scored.passage_key = every.passage_key;
