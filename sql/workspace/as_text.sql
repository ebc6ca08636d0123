-- as_text: the relation `result` with every value as DuckDB writes it. Grain: one row per row of it.
select columns(*)::varchar from result;
