-- n_tuple_provenance: the sources of each row of export/n_tuple, in the same order. Grain: one row per (query, positive).
with of_width as (
    select query_key from export_passages group by query_key having count(*) filter (where label = 0) = $width
),
negatives as (
    select
        query_key,
        arg_min(
            {'passage_id': passage_id, 'probability': probability, 'negative_source': negative_source},
            place,
            $negatives
        ) as negatives,
    from export_passages
    semi join of_width on of_width.query_key = export_passages.query_key
    where label = 0
    group by query_key
)
select
    queries.query_id,
    positive.passage_id as positive_id,
    positive.positive_source,
    positive.probability as positive_probability,
    negatives.negatives,
from export_queries as queries
semi join of_width on of_width.query_key = queries.query_key
inner join export_passages as positive on positive.query_key = queries.query_key
left join negatives on negatives.query_key = queries.query_key
where positive.label = 1 and not positive.repeated
order by queries.query_key, positive.place;
