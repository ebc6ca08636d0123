-- triplet: triplets of a query, a positive and a negative. Grain: one row per (query, positive, negative).
select
    queries.text as query,
    passage_text(positive.title, positive.text) as positive,
    passage_text(negative.title, negative.text) as negative,
from export_queries as queries
inner join export_passages as positive on positive.query_key = queries.query_key
inner join export_passages as negative on negative.query_key = queries.query_key
where positive.label = 1 and not positive.repeated and negative.label = 0
order by queries.query_key, positive.place, negative.place;
