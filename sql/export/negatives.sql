-- negatives: the first $negatives of each query's training_negatives, as export_negatives. Grain: one row per (query_key, passage_key).
create or replace temp table export_negatives as
select query_key, passage_key, probability, place from training_negatives where place < $negatives;
