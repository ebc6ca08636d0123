-- as_text: the relation `result`, with every value as the text that DuckDB writes. Grain: one row per row of `result`.
select columns(*)::varchar from result;
