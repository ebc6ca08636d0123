-- queries: the queries of a split, as a retriever reads them. Grain: one row per query.
select query_key, text from queries where split = $split order by query_key;
