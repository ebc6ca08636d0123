-- scored_candidates: candidates beside their logits, of the runs and scorers whose join is kept in files. Grain: one row per (scorer_id, run_id, query_key, passage_key).
-- A connection that finds such files reads them in place of this view (curate/scored_candidates.py). Without files, it has no row.
create or replace view scored_candidates as
select run_id, query_key, passage_key, rank, score, null::varchar as scorer_id, null::float as logit
from candidates
where false;
