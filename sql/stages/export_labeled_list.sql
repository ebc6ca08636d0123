-- export_labeled_list: all positives and negatives of a question, positives first. Grain: one row per query.
select
    any_value(queries.text) as query,
    list(
        passage_text(passages.title, passages.text) order by passages.label desc, passages.place
    ) as passages,
    list(passages.label::bigint order by passages.label desc, passages.place) as labels,
from export_queries as queries
inner join export_passages as passages on passages.query_key = queries.query_key
where not passages.repeated
group by queries.query_key
order by queries.query_key;
