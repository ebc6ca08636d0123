-- labeled_pair: pairs of a query and a passage with a label, 1 for a positive and 0 for a negative. Grain: one row per (query, passage).
select
    queries.text as query,
    passage_text(passages.title, passages.text) as passage,
    passages.label::bigint as label,
from export_queries as queries
inner join export_passages as passages on passages.query_key = queries.query_key
where not passages.repeated
order by queries.query_key, passages.place;
