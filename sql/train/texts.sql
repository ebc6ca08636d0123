-- texts: the key of each text, which is the key of the first passage with that text. Grain: one row per text.
create or replace temp table train_texts as
select text_hash, min(passage_key) as text_key from passages group by text_hash;
