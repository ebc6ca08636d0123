-- flagembedding: lines of JSON with query, pos and neg. Grain: one row per query with negatives.
with rows as (
    select
        query_key,
        arg_min(passage_text(title, text), place, 999999) filter (where label = 1) as pos,
        arg_min(passage_text(title, text), place, 999999) filter (where label = 0) as neg,
    from export_passages
    where not repeated
    group by query_key
    having count(*) filter (where label = 0) > 0
)
select to_json({'query': queries.text, 'pos': rows.pos, 'neg': rows.neg})::varchar || chr(10) as line
from export_queries as queries
inner join rows on rows.query_key = queries.query_key
order by queries.query_key;
