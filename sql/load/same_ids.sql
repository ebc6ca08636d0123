-- same_ids: queries and passages that have one id, if their texts can be the same. Grain: one row per (query_key, passage_key).
-- same: whether the query has the text of the passage with its title. If not, its text alone is still to be compared:
-- ArguAna's queries lack the titles.
select
    stored_queries.query_key,
    passages.passage_key,
    stored_queries.text_hash,
    stored_queries.text_hash = passages.text_hash as same,
    if(same, '', passages.text) as body,
from stored_queries
inner join passages on passages.passage_id = stored_queries.query_id
anti join own_copies on own_copies.query_key = stored_queries.query_key
where same or passages.title <> ''
order by stored_queries.query_key;
