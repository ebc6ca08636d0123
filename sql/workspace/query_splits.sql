-- query_splits: the split of each query. Grain: one row per query.
select query_key, split from queries;
