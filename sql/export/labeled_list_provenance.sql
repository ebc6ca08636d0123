-- labeled_list_provenance: the sources of each row of export/labeled_list, in the same order. Grain: one row per query.
select
    any_value(queries.query_id) as query_id,
    arg_min(
        {
            'passage_id': passages.passage_id,
            'label': passages.label,
            'probability': passages.probability,
            'positive_source': passages.positive_source,
            'negative_source': passages.negative_source
        },
        passages.place,
        999999
    ) as passages,
from export_queries as queries
inner join export_passages as passages on passages.query_key = queries.query_key
where not passages.repeated
group by queries.query_key
order by queries.query_key;
