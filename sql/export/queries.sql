-- queries: the queries of a block that have a positive, as export_queries. Grain: one row per query.
create or replace temp table export_queries as
select query_key, query_id, text, split
from training_queries
semi join training_positives on training_positives.query_key = training_queries.query_key;
