-- training_queries: the queries that may be used for training: those of train and the unlabeled ones. Grain: one row per query.
-- A query with the text of a dev or test query is left out, even under another id: it would leak the answer.
create or replace view training_queries as
select queries.query_key, queries.query_id, queries.text, queries.split
from queries
anti join (select text_hash from queries where split in ('dev', 'test')) as held_out
    on held_out.text_hash = queries.text_hash
where queries.split in ('train', 'unlabeled');
