-- judged: the number of queries with labels in a split. Grain: one row.
select count(distinct qrels.query_key) as queries
from qrels
inner join queries on queries.query_key = qrels.query_key
where queries.split = $split;
