-- beir_queries: the queries with a positive as lines of BEIR's JSON. Grain: one row per query.
select to_json({'_id': query_id, 'text': text, 'metadata': '{}'::json})::varchar || chr(10) as line
from export_queries
order by query_key;
