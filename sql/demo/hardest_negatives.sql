-- hardest_negatives: passages that the retriever ranks first and the cross-encoder rejects. Grain: one row per pair.
select queries.text as query, passages.passage_id as wrong_answer, decisions.rank, round(decisions.probability, 3) as probability
from decisions
inner join runs on runs.run_id = decisions.run_id and runs.retriever = 'hybrid' and runs.split = 'train'
inner join queries on queries.query_key = decisions.query_key
inner join passages on passages.passage_key = decisions.passage_key
where decisions.decision = 'hard_negative' and decisions.rank = 1
order by decisions.probability desc, decisions.query_key
limit 10
