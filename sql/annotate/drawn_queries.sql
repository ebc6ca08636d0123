-- drawn_queries: the queries of a sample, drawn by hash among those with a pair in its population. Grain: one row per query_key (temp table drawn_queries).
-- Parameters: $name, $seed, $queries.
create or replace temp table drawn_queries as
select queries.query_key
from queries
semi join population on population.query_key = queries.query_key
order by draw($seed, queries.query_id, concat('sample ', $name)), queries.query_key
limit $queries;
