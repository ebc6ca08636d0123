-- suspects: unlabelled candidates that the scorer holds relevant, for people to read. Grain: one row per denoised pair.
-- Without denoising, these would be used for training as negatives. The highest ranks come first: they would be
-- the hardest "negatives".
-- positive: a passage that is labelled relevant for the same query (the most probable one), for comparison.
-- shared_words: those that query and passage share, without words that many queries have (macros/common_words.sql).
-- Parameters: $run, $cutoffs, $limit.
-- Example: curate sql suspects -p limit=100 --output suspects.parquet
with chosen as (
    select query_key, passage_key, rank, retriever_score, probability
    from found
    where
        cutoffs = $cutoffs
        and run_id = $run
        and decision = 'false_negative'
    order by rank, probability desc, query_key, passage_key
    limit $limit
),
labelled as (
    select positives.query_key, positives.passage_key
    from positives
    semi join chosen on chosen.query_key = positives.query_key
    left join probabilities
        on probabilities.cutoffs = $cutoffs
        and probabilities.query_key = positives.query_key
        and probabilities.passage_key = positives.passage_key
    qualify row_number() over (
        partition by positives.query_key
        order by
            probabilities.logit desc nulls last,
            probabilities.probability desc nulls last,
            positives.passage_key
    ) = 1
)
select
    queries.query_id,
    passages.passage_id,
    chosen.rank,
    round(chosen.probability::double, 4) as probability,
    queries.text as query,
    passage_text(passages.title, passages.text) as passage,
    positive.passage_id as positive_id,
    passage_text(positive.title, positive.text) as positive,
    shared_words(queries.text, passage_text(passages.title, passages.text), common.words) as shared_words,
from chosen
cross join common_words($run) as common
inner join queries on queries.query_key = chosen.query_key
inner join passages on passages.passage_key = chosen.passage_key
left join labelled on labelled.query_key = chosen.query_key
left join passages as positive on positive.passage_key = labelled.passage_key
order by chosen.rank, chosen.probability desc, chosen.query_key, chosen.passage_key;
