-- tevatron: lines of JSON with exactly the keys that Tevatron's readers know. Grain: one row per query with negatives.
with rows as (
    select
        query_key,
        arg_min({'docid': passage_id, 'title': title, 'text': text}, place, 999999)
            filter (where label = 1) as positive_passages,
        arg_min({'docid': passage_id, 'title': title, 'text': text}, place, 999999)
            filter (where label = 0) as negative_passages,
    from export_passages
    where not repeated
    group by query_key
    having count(*) filter (where label = 0) > 0
)
select
    to_json({
        'query_id': queries.query_id,
        'query': queries.text,
        'positive_passages': rows.positive_passages,
        'negative_passages': rows.negative_passages
    })::varchar || chr(10) as line
from export_queries as queries
inner join rows on rows.query_key = queries.query_key
order by queries.query_key;
