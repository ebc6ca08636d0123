-- training_texts: what a training may learn from: queries, and their labelled positives. Grain: one row per (kind, id).
-- Queries with the text of one of dev or test are not among them (views/training_queries.sql).
select 'query' as kind, training_queries.query_id as id, queries.text, queries.text_hash
from training_queries
inner join queries on queries.query_key = training_queries.query_key
union all
select 'passage', passages.passage_id, passage_text(passages.title, passages.text), passages.text_hash
from passages
semi join (
    select positives.passage_key
    from positives
    inner join training_queries on training_queries.query_key = positives.query_key
) as labelled
    on labelled.passage_key = passages.passage_key
order by kind, id;
