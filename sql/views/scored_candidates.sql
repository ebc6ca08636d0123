-- scored_candidates: candidates beside their logits, of the runs and scorers whose join is kept in files. Grain: one row per (scorer_id, run_id, query_key, passage_key).
-- A connection that finds such files reads them in place of this view (curate/scored_candidates.py). Without files, it has no row.
create or replace view scored_candidates as
select
    null::varchar as run_id,
    null::integer as query_key,
    null::integer as passage_key,
    null::integer as rank,
    null::float as score,
    null::varchar as scorer_id,
    null::float as logit,
where false;
