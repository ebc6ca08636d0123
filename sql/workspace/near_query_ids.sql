-- near_query_ids: the ids that are most similar to $query_id. Grain: one row per query, at most three.
select query_id from queries order by jaro_winkler_similarity(query_id, $query_id) desc, query_id limit 3;
