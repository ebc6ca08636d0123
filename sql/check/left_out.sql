-- left_out: queries that are left out of training, because dev or test has their text. Grain: one row.
select count(*) as queries
from queries
anti join training_queries on training_queries.query_key = queries.query_key
where queries.split in ('train', 'unlabeled');
