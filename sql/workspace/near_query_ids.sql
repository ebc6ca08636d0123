-- near_query_ids: the ids that look most like $query_id. Grain: one row per query, three at most.
select query_id from queries order by jaro_winkler_similarity(query_id, $query_id) desc, query_id limit 3;
