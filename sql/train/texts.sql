-- texts: passages with equal texts share a key, that of the first of them. Grain: one row per text.
create or replace temp table train_texts as
select text_hash, min(passage_key) as text_key from passages group by text_hash;
