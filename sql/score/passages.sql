-- passages: the texts of a block's passages. Grain: one row per passage in `wanted`.
select passage_key, passage_text(title, text) as text
from passages
semi join wanted on wanted.passage_key = passages.passage_key
order by passage_key;
