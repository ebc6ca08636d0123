-- duplicates: passages with the same text as a positive. Grain: one row per (query_key, passage_key).
-- Texts that differ only in case, punctuation and white space are the same (text_hash). The title does not count.
create or replace view duplicates as
select distinct positives.query_key, twin.passage_key
from positives
inner join passages as positive on positive.passage_key = positives.passage_key
inner join passages as twin on twin.text_hash = positive.text_hash
anti join positives as own on own.query_key = positives.query_key and own.passage_key = twin.passage_key;
