-- own_copies_in_split: the number of queries of a split whose own copy is a passage. Grain: one row.
select count(*) as queries
from own_copies
inner join queries on queries.query_key = own_copies.query_key
where queries.split = $split;
