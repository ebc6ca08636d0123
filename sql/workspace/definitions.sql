-- definitions: how this database defines tables, views and macros of the workspace. Grain: one row per name.
-- In lower case, because DuckDB writes the names of types otherwise once it has read a file again. As a digest, because the
-- view of a table names all of its shards.
-- $names: those that count.
with found as (
    select view_name as name, sql as definition
    from duckdb_views()
    where not internal
    union all
    select function_name, concat(parameters::varchar, macro_definition)
    from duckdb_functions()
    where not internal
)
select name, md5(lower(definition)) from found where list_contains($names, name) order by all;
