-- strata: the strata of a sample's population. Grain: one row per stratum.
-- The mean is of decimals, whose sum does not depend on the order.
select
    population.stratum,
    population.decision,
    population.first_rank,
    population.last_rank,
    count(*) as pairs,
    (sum(population.probability::decimal(18, 9)) / count(population.probability))::double as probability,
    count(drawn_queries.query_key) as in_drawn_queries,
from population
left join drawn_queries on drawn_queries.query_key = population.query_key
group by all
order by population.stratum;
