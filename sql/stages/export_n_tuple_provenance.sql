-- export_n_tuple_provenance: where each row of export_n_tuple comes from, in the same order. Grain: one row per (query, positive).
with negatives as (
    select
        query_key,
        count(*) as width,
        list(
            {'passage_id': passage_id, 'probability': probability, 'negative_source': negative_source}
            order by place
        ) as negatives,
    from export_passages
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
inner join export_passages as positive on positive.query_key = queries.query_key
left join negatives on negatives.query_key = queries.query_key
where positive.label = 1 and not positive.repeated and coalesce(negatives.width, 0) = $width
order by queries.query_key, positive.place;
