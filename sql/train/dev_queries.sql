-- dev_queries: dev queries on which a training is evaluated, drawn by hash. Grain: one row per query.
select queries.query_key, queries.text
from queries
semi join positives on positives.query_key = queries.query_key
where queries.split = 'dev'
order by draw($seed, queries.query_id, 'dev'), queries.query_key
limit $dev_queries;
