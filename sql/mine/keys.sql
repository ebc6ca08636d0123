-- keys: the keys of the queries in a split. Grain: one row per query.
select query_key from queries where split = $split order by query_key;
