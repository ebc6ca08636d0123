-- own_copies: the passage that is a query's own copy, or -1, for the queries of a block. Grain: one row per query.
select coalesce(own_copies.passage_key, -1) as passage_key
from block
left join own_copies on own_copies.query_key = block.query_key
order by block.query_key;
