-- query_counts: the number of queries that can be trained on, and of those without a negative. Grain: one row.
select count(place) as queries, count(*) - count(place) as skipped from train_queries;
