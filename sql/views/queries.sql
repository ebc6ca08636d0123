-- queries: the queries with their split. Grain: one row per query.
-- A query without a split of its own has the split of its qrels. Without qrels it is unlabeled.
create or replace view queries as
with judged as (
    select query_key, min(split) as split from qrels group by query_key
)
select
    stored_queries.query_key,
    stored_queries.query_id,
    stored_queries.text,
    stored_queries.text_hash,
    coalesce(stored_queries.split, judged.split, 'unlabeled') as split,
from stored_queries
left join judged on judged.query_key = stored_queries.query_key;
