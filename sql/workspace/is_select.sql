-- is_select: whether $query is a SELECT that changes nothing (no COPY or INSERT inside WITH). Grain: one row.
-- DuckDB serializes only such queries to JSON. For any other query it says why it cannot.
select json_serialize_sql($query) ->> 'error' = 'false' as is_select;
