-- negatives: what can be a negative in a group: candidates of a run, and what people judged not relevant. Grain: one row per (query_key, passage_key).
-- rank: null for what people judged, which no run needs to have found. Positives are left out, and so are passages with the text of a positive
-- and candidates that an earlier judge calls relevant (earlier_verdicts).
create or replace temp macro train_negatives(run) as table (
    select query_key, passage_key, "rank"
    from (
        select query_key, passage_key, null::integer as "rank" from judgements where not relevant
        union all
        select query_key, passage_key, "rank"
        from candidates
        anti join judgements using (query_key, passage_key)
        anti join (select * from earlier_verdicts where left_out) as relevant using (query_key, passage_key)
        where candidates.run_id = run
    ) as every
    anti join positives using (query_key, passage_key)
    anti join duplicates using (query_key, passage_key)
);
