-- beir_qrels: lines of BEIR's qrels file, with score 1 for every positive. Grain: one row per (query, positive).
-- The loader reads CSV, so an id with a tab, a quote or a line break is quoted.
with ids as (
    select queries.query_key, passages.place, queries.query_id, passages.passage_id
    from export_queries as queries
    inner join export_passages as passages on passages.query_key = queries.query_key
    where passages.label = 1
)
select
    if(regexp_matches(query_id, '[\t\r\n"]'), '"' || replace(query_id, '"', '""') || '"', query_id)
    || chr(9)
    || if(regexp_matches(passage_id, '[\t\r\n"]'), '"' || replace(passage_id, '"', '""') || '"', passage_id)
    || chr(9) || '1' || chr(10) as line
from ids
order by query_key, place;
