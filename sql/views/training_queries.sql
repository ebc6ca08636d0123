-- training_queries: the queries that may be used for training: those of train and the unlabeled ones. Grain: one row per query.
-- A query with the text of a dev or test query is left out, even under another id: it would leak the answer. The text
-- of a row of dev or test that was rejected counts, too.
create or replace view training_queries as
with held_out_texts as (
    select text_hash from queries where split in ('dev', 'test')
    union all
    select text_hash from claims
)
select queries.query_key, queries.query_id, queries.text, queries.split
from queries
anti join held_out_texts on held_out_texts.text_hash = queries.text_hash
where queries.split in ('train', 'unlabeled');
