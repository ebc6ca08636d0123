-- queries: the queries that a model is examined with, drawn by their ids. Grain: one row per query.
-- Labelled queries that the model has not seen come first, then others that it has not seen. $path: that of the model in
-- the workspace, by which the view trained_queries knows what it has seen.
select
    queries.query_key,
    queries.text,
    labelled.query_key is not null as is_labelled,
    seen.query_key is not null as is_seen,
from queries
left join (select distinct query_key from positives) as labelled on labelled.query_key = queries.query_key
left join (select query_key from trained_queries where training = training_of($path)) as seen
    on seen.query_key = queries.query_key
where trim(queries.text) <> ''
order by is_seen, is_labelled desc, draw(0, queries.query_id, 'doctor'), queries.query_key
limit $queries;
