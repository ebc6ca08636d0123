-- seen_queries: the queries whose labels a scorer was trained on. Grain: one row per (scorer_id, query_key).
-- What a scorer says about them must not be used to measure or to calibrate it. A scorer that was trained elsewhere
-- has no rows here.
create or replace view seen_queries as
select models.model_id as scorer_id, judge_queries.query_key
from judge_queries
inner join models on training_of(models.path) = judge_queries.training
where models."role" = 'cross-encoder' and judge_queries.fold is null;
