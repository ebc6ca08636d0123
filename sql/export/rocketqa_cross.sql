-- rocketqa_cross: lines of RocketQA's file for cross-encoders. Grain: one row per (query, passage).
-- The columns: query, title, text, and 1 for a positive or 0 for a negative. A missing title is empty.
select
    one_line(queries.text)
    || chr(9) || one_line(coalesce(passages.title, '')) || chr(9) || one_line(passages.text)
    || chr(9) || passages.label || chr(10) as line
from export_queries as queries
inner join export_passages as passages on passages.query_key = queries.query_key
where not passages.repeated
order by queries.query_key, passages.place;
