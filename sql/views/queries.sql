-- queries: the queries with their split. Grain: one row per query.
-- split: dev or test if one of their files names the query, else unlabeled if its file says so, else train if
-- it has labels there, else unlabeled.
create or replace view queries as
with labelled as (
    select distinct query_key from stored_qrels where split = 'train'
)
select
    stored_queries.query_key,
    stored_queries.query_id,
    stored_queries.text,
    stored_queries.text_hash,
    coalesce(
        held_out.split, stored_queries.split, case when labelled.query_key is null then 'unlabeled' else 'train' end
    ) as split,
from stored_queries
left join held_out on held_out.query_key = stored_queries.query_key
left join labelled on labelled.query_key = stored_queries.query_key;
