-- triplet_provenance: the sources of each row of export/triplet, in the same order. Grain: one row per (query, positive, negative).
select
    queries.query_id,
    positive.passage_id as positive_id,
    positive.positive_source,
    positive.probability as positive_probability,
    negative.passage_id as negative_id,
    negative.probability as negative_probability,
    negative.negative_source,
from export_queries as queries
inner join export_passages as positive on positive.query_key = queries.query_key
inner join export_passages as negative on negative.query_key = queries.query_key
where positive.label = 1 and not positive.repeated and negative.label = 0
order by queries.query_key, positive.place, negative.place;
