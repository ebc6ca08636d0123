-- queries_by_id: all queries, including those of the current load, in the form that load/repeats compares. Grain: one row per query.
create or replace temp view by_id as
select
    query_key as key,
    query_id as id,
    md5(concat(split, ':', text)) as content,
    left(text, 100) as beginning,
    'id known with another text or in another split' as reason,
from stored_queries;
