-- definitions: how this database defines tables, views and macros of the workspace. Grain: one row per name.
-- In lower case, because DuckDB writes the names of types otherwise once it has read a file again.
-- $names: those that count. $shards: those of them that are views over shards, whose files change with every job.
with found as (
    select view_name as name, case when not list_contains($shards, view_name) then sql end as definition
    from duckdb_views()
    where not internal
    union all
    select function_name, concat(parameters::varchar, macro_definition)
    from duckdb_functions()
    where not internal
)
select name, lower(definition) from found where list_contains($names, name) order by all;
