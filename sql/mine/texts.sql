-- texts: the queries of a block. Grain: one row per query.
select stored_queries.text
from stored_queries
inner join block on block.query_key = stored_queries.query_key
order by stored_queries.query_key;
