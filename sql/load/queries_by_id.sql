-- queries_by_id: all queries, including those of the current load, in the form that load/repeats compares. Grain: one row per query.
-- A file may name a query of another file as one of its split. Only an unlabeled query is no query of labels.
create or replace temp view by_id as
select
    query_key as key,
    query_id as id,
    md5(concat(coalesce(split, '') = 'unlabeled', ':', text)) as content,
    split,
    text_hash,
    left(text, 100) as beginning,
    'id known with another text, or as an unlabeled query' as reason,
from stored_queries;
