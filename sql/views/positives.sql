-- positives: pairs that people judged relevant. Grain: one row per (query_key, passage_key).
create or replace view positives as
select query_key, passage_key from judgements where relevant;
