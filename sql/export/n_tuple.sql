-- n_tuple: a positive with its query's negatives, for queries that have exactly $width negatives. Grain: one row per (query, positive).
with of_width as (
    select query_key from export_passages group by query_key having count(*) filter (where label = 0) = $width
),
negatives as (
    select
        query_key,
        arg_min(passage_text(title, text), place, $negatives) as passages, -- ordered by place
    from export_passages
    semi join of_width on of_width.query_key = export_passages.query_key
    where label = 0
    group by query_key
)
select
    queries.text as query,
    passage_text(positive.title, positive.text) as positive,
    coalesce(negatives.passages, []::varchar[]) as negatives,
from export_queries as queries
semi join of_width on of_width.query_key = queries.query_key
inner join export_passages as positive on positive.query_key = queries.query_key
left join negatives on negatives.query_key = queries.query_key
where positive.label = 1 and not positive.repeated
order by queries.query_key, positive.place;
