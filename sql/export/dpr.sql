-- dpr: elements of DPR's JSON array, with a comma after each. Grain: one row per query.
-- Nobody answered the questions in words, so `answers` is empty; the trainer does not read it.
with rows as (
    select
        query_key,
        arg_min({'title': title, 'text': text, 'passage_id': passage_id}, place, 999999)
            filter (where label = 1) as positive_ctxs,
        coalesce(
            arg_min({'title': title, 'text': text, 'passage_id': passage_id}, place, 999999)
                filter (where label = 0),
            []
        ) as hard_negative_ctxs,
    from export_passages
    where not repeated
    group by query_key
)
select
    to_json({
        'question': queries.text,
        'answers': []::varchar[],
        'positive_ctxs': rows.positive_ctxs,
        'negative_ctxs': []::varchar[],
        'hard_negative_ctxs': rows.hard_negative_ctxs
    })::varchar || ',' || chr(10) as line
from export_queries as queries
inner join rows on rows.query_key = queries.query_key
order by queries.query_key;
