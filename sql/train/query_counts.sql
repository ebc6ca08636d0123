-- query_counts: how many queries can be trained on, and how many have no negative. Grain: one row.
select count(place) as queries, count(*) - count(place) as skipped from train_queries;
