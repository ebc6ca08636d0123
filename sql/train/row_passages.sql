-- row_passages: the passages in train_rows. Grain: one row per passage.
-- text_key: the key of the first passage with the same text.
select
    passages.passage_key as key,
    passages.passage_id as id,
    passage_text(passages.title, passages.text) as text,
    train_texts.text_key,
from passages
semi join train_rows on train_rows.passage_key = passages.passage_key
inner join train_texts on train_texts.text_hash = passages.text_hash
order by passages.passage_key;
