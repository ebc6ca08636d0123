-- query_links: what connects labelled queries: their own text, and the texts of their positives. Grain: one row per (query_key, is_own, text_hash).
-- A judge that is trained on one of two connected queries knows something of the answer to the other. The queries come
-- in the order of their draws.
with links as (
    select train_queries.query_key, train_queries.query_id, true as is_own, queries.text_hash
    from train_queries
    inner join queries on queries.query_key = train_queries.query_key
    union
    select train_queries.query_key, train_queries.query_id, false as is_own, passages.text_hash
    from train_queries
    inner join positives on positives.query_key = train_queries.query_key
    inner join passages on passages.passage_key = positives.passage_key
)
select query_key, is_own, text_hash
from links
order by draw($seed, query_id, 'judge'), query_key, is_own desc, text_hash;
