-- hidden: the labelled positives that are hidden (macros/hidden_positives.sql). Grain: one row per (query_key, passage_key) (temp table hidden).
-- Parameters: $run, $cutoffs, $share, $seed.
create or replace temp table hidden as
select * from hidden_positives($run, $cutoffs, $share, $seed);
