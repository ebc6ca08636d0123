-- is_select: whether $query is a SELECT that changes nothing (no COPY or INSERT inside WITH). Grain: one row.
-- DuckDB writes only such a query as JSON; of everything else it says why not.
select json_serialize_sql($query) ->> 'error' = 'false' as is_select;
