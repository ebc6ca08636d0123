-- seen_queries: the queries whose labels a scorer was trained on, or that have the text of one. Grain: one row per (scorer_id, query_key).
-- What a scorer says about them must not be used to measure or to calibrate it. A scorer that was trained elsewhere
-- has no rows here.
create or replace view seen_queries as
select models.model_id as scorer_id, trained_queries.query_key
from models
inner join trained_queries on trained_queries.training = training_of(models.path)
where models."role" = 'cross-encoder';
