-- sample: queries on which an approximate index is measured, drawn by their ids. Grain: one row per query.
select query_key, text from queries where split = $split order by draw($seed, query_id, ''), query_key limit $size;
