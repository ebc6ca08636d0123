-- passages: the text of each passage in a shard, as a retriever reads it. Grain: one row per passage.
select passage_key, passage_text(title, text) as text from passage_shard order by passage_key;
