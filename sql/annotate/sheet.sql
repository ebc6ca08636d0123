-- sheet: the pairs of a sample as annotators see them, in their order, with the verdict that one of them gave. Grain: one row per (query_key, passage_key).
-- The order is by hash, the passages of a query together. It says nothing of scores, decisions and ranks. Whoever stops
-- early has judged queries that chance chose.
-- Parameters: $sample, $annotator.
select
    queries.query_id,
    passages.passage_id,
    queries.text as query,
    passages.title,
    passages.text as passage,
    annotations.annotator is not null as judged,
    annotations.relevant,
from sample_pairs
inner join queries on queries.query_key = sample_pairs.query_key
inner join passages on passages.passage_key = sample_pairs.passage_key
left join annotations
    on annotations.query_key = sample_pairs.query_key
    and annotations.passage_key = sample_pairs.passage_key
    and annotations.annotator = $annotator
where sample_pairs.sample_id = $sample
order by
    draw(0, queries.query_id, concat('order ', $sample)),
    queries.query_key,
    draw(0, queries.query_id, concat('order ', passages.passage_id)),
    passages.passage_key;
