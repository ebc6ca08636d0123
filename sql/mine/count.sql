-- count: how much a run found. Grain: one row.
select count(*) as candidates, count(*) filter (where rank = 1) as queries, coalesce(max(rank), 0) as deepest
from mined;
