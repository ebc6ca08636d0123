-- pseudo_labels: the pseudo-labels of the queries from Polars, most probable first. Grain: one row per pseudo-labelled query.
select queries.text as query, passages.passage_id as answer, round(pseudo_labels.probability, 3) as probability
from pseudo_labels
inner join runs on runs.run_id = pseudo_labels.run_id and runs.retriever = 'hybrid'
inner join queries on queries.query_key = pseudo_labels.query_key
inner join passages on passages.passage_key = pseudo_labels.passage_key
order by pseudo_labels.probability desc, queries.query_key
limit 10
