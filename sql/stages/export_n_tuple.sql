-- export_n_tuple: a positive and its question's negatives, where there are $width of these. Grain: one row per (query, positive).
with negatives as (
    select query_key, list(passage_text(title, text) order by place) as passages
    from export_passages
    where label = 0
    group by query_key
)
select
    queries.text as query,
    passage_text(positive.title, positive.text) as positive,
    coalesce(negatives.passages, []::varchar[]) as negatives,
from export_queries as queries
inner join export_passages as positive on positive.query_key = queries.query_key
left join negatives on negatives.query_key = queries.query_key
where positive.label = 1 and not positive.repeated and len(coalesce(negatives.passages, [])) = $width
order by queries.query_key, positive.place;
