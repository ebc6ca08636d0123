-- queries: the texts of a block's queries. Grain: one row per query.
select query_key, text from queries where query_key between $first_query and $last_query order by query_key;
