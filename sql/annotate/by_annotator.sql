-- by_annotator: each annotator's verdict on each pair of a sample. Grain: one row per (query_key, passage_key, annotator).
-- Parameters: $sample.
select
    sample_pairs.query_key,
    sample_pairs.passage_key,
    annotations.annotator,
    annotations.relevant,
    queries.query_id,
    passages.passage_id,
    queries.text as query,
    passage_text(passages.title, passages.text) as passage,
from sample_pairs
inner join annotations
    on annotations.query_key = sample_pairs.query_key and annotations.passage_key = sample_pairs.passage_key
inner join queries on queries.query_key = sample_pairs.query_key
inner join passages on passages.passage_key = sample_pairs.passage_key
where sample_pairs.sample_id = $sample
order by sample_pairs.query_key, sample_pairs.passage_key, annotations.annotator;
