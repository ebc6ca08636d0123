-- labeled_list: all positives and negatives of a query, positives first. Grain: one row per query.
-- arg_min with a count gives a list in the order of place, in a third of the time of list(... order by place).
select
    any_value(queries.text) as query,
    arg_min(passage_text(passages.title, passages.text), passages.place, 999999) as passages,
    arg_min(passages.label::bigint, passages.place, 999999) as labels,
from export_queries as queries
inner join export_passages as passages on passages.query_key = queries.query_key
where not passages.repeated
group by queries.query_key
order by queries.query_key;
