-- columns: the columns of every table and view, in their order. Grain: one row per column.
select table_name, column_name, data_type
from duckdb_columns()
where not internal
order by table_name, column_index;
