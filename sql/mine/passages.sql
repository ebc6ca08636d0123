-- passages: what a retriever reads of a shard of passages. Grain: one row per passage.
select passage_key, passage_text(title, text) as text from passage_shard order by passage_key;
