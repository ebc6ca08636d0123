-- query_split: where the query $query_id belongs. Grain: one row, or none where nobody has the id.
select split from queries where query_id = $query_id;
