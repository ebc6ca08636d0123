-- rocketqa_dual: lines of RocketQA's file for dual-encoders. Grain: one row per (query, positive, negative).
-- The columns: query, title and text of the positive, title and text of the negative, and 0. A missing title is `-`.
select
    one_line(queries.text)
    || chr(9) || one_line(coalesce(nullif(positive.title, ''), '-')) || chr(9) || one_line(positive.text)
    || chr(9) || one_line(coalesce(nullif(negative.title, ''), '-')) || chr(9) || one_line(negative.text)
    || chr(9) || '0' || chr(10) as line
from export_queries as queries
inner join export_passages as positive on positive.query_key = queries.query_key
inner join export_passages as negative on negative.query_key = queries.query_key
where positive.label = 1 and not positive.repeated and negative.label = 0
order by queries.query_key, positive.place, negative.place;
