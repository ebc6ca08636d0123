-- sizes: how many queries and pairs a sample's population has, and how many queries were drawn. Grain: one row.
select
    count(distinct query_key)::integer as queries,
    count(*) as pairs,
    (select count(*) from drawn_queries)::integer as drawn_queries,
from population;
