-- negatives: candidates of a run that nobody judged relevant. Grain: one row per (query_key, passage_key).
-- Positives are left out, and so are passages with the text of a positive.
create or replace temp macro train_negatives(run) as table (
    select query_key, passage_key, "rank"
    from candidates
    anti join positives using (query_key, passage_key)
    anti join duplicates using (query_key, passage_key)
    where candidates.run_id = run
);
