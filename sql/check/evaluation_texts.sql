-- evaluation_texts: what an evaluation asks and finds: queries of dev and test, and their labelled positives. Grain: one row per (kind, split, id).
-- $all: the queries of all splits, for a benchmark without dev and test.
with asked as (
    select query_key, query_id, split, text, text_hash from queries where $all or split in ('dev', 'test')
)
select 'query' as kind, split, query_id as id, text, text_hash
from asked
union all
select distinct
    'passage', asked.split, passages.passage_id, passage_text(passages.title, passages.text), passages.text_hash
from asked
inner join positives on positives.query_key = asked.query_key
inner join passages on passages.passage_key = positives.passage_key
order by kind, split, id;
