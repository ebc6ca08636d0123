-- query_split: the split of the query $query_id. Grain: one row, or none if the id is unknown.
select split from queries where query_id = $query_id;
