-- export_queries: the questions of a block. Grain: one row per query.
create or replace temp table export_queries as
select query_key, query_id, text, split
from training_queries
where query_key between $first and $last and (split = 'train' or $augmented);
