-- pairs: the pairs of a sample: from each stratum as many as it gets, drawn by hash among those of the drawn queries. Grain: one row per (query_key, passage_key).
-- $strata, $shares: strata, and how many pairs of each are drawn.
-- Parameters: $name, $seed, $strata, $shares.
with given as (
    select unnest($strata) as stratum, unnest($shares) as drawn
),
queued as (
    select
        population.*,
        row_number() over (
            partition by population.stratum
            order by
                draw($seed, queries.query_id, concat('sample ', $name, ' ', passages.passage_id)),
                population.query_key,
                population.passage_key
        ) as place,
        count(*) over (partition by population.stratum) as there,
    from population
    semi join drawn_queries on drawn_queries.query_key = population.query_key
    inner join queries on queries.query_key = population.query_key
    inner join passages on passages.passage_key = population.passage_key
)
select
    $name as sample_id,
    queued.query_key,
    queued.passage_key,
    queued.stratum,
    queued."rank",
    queued.probability,
    given.drawn / queued.there * (select count(*) from drawn_queries) / (select count(distinct query_key) from population)
        as inclusion,
from queued
inner join given on given.stratum = queued.stratum and queued.place <= given.drawn
order by queued.query_key, queued.passage_key;
