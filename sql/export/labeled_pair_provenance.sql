-- labeled_pair_provenance: the sources of each row of export/labeled_pair, in the same order. Grain: one row per (query, passage).
select
    queries.query_id,
    passages.passage_id,
    passages.label::bigint as label,
    passages.probability,
    passages.positive_source,
    passages.negative_source,
from export_queries as queries
inner join export_passages as passages on passages.query_key = queries.query_key
where not passages.repeated
order by queries.query_key, passages.place;
