-- negatives: what a run found that nobody says is relevant. Grain: one row per (query_key, passage_key).
-- Neither a positive, nor a passage with the text of one, nor a pair that people judged relevant.
create or replace temp macro train_negatives(run) as table (
    select query_key, passage_key, "rank"
    from candidates
    anti join positives using (query_key, passage_key)
    anti join duplicates using (query_key, passage_key)
    where candidates.run_id = run
);
