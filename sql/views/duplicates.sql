-- duplicates: passages with the text of a positive, or of the query itself. Grain: one row per (query_key, passage_key).
-- Texts that differ only in case, punctuation and white space are the same (text_hash). The title is part of the
-- text, as it is for the models. A passage that repeats the question does not answer it, but pushing it away from the
-- query would be just as wrong.
create or replace view duplicates as
with texts as (
    select positives.query_key, passages.text_hash
    from positives
    inner join passages on passages.passage_key = positives.passage_key
    union
    select query_key, text_hash from stored_queries
),
twins as (
    select texts.query_key, passages.passage_key
    from texts
    inner join passages on passages.text_hash = texts.text_hash
    union
    select query_key, passage_key from own_copies
)
select query_key, passage_key
from twins
anti join positives using (query_key, passage_key);
