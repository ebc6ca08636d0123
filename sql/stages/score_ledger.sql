-- score_ledger: `ledger`, what a scorer has scored before this job. Grain: one row per (query_key, passage_key).
create or replace temp view ledger as
select query_key, passage_key from ledger_shards where scorer_id = getvariable('scorer_id');
