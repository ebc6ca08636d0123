-- count: the number of candidates and queries in a run, and its deepest rank. Grain: one row.
select count(*) as candidates, count(*) filter (where rank = 1) as queries, coalesce(max(rank), 0) as deepest
from mined;
