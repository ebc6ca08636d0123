-- audit_pairs: the pairs by which a judge is measured after its training, with their texts. Grain: one row per (query_key, passage_key).
select pairs.query_key, pairs.passage_key, queries.text as query, passage_text(passages.title, passages.text) as passage
from pairs_to_score($run, $depth) as pairs
inner join queries on queries.query_key = pairs.query_key
inner join passages on passages.passage_key = pairs.passage_key
where pairs.query_key in (select query_key from asked)
order by pairs.query_key, pairs.passage_key;
