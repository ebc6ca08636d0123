-- leaked_queries: unlabeled queries whose text also occurs in dev or test. Grain: one row per query_key.
-- They are the unlabeled queries that training_queries leaves out. They get no pseudo-label, because training on them would be training on the evaluation.
create or replace view leaked_queries as
select queries.query_key
from queries
anti join training_queries on training_queries.query_key = queries.query_key
where queries.split = 'unlabeled';
