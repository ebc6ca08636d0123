-- candidate_sources: which retriever found a candidate, and at which rank. Grain: one row per (run_id, query_key, passage_key, source_run_id).
-- A hybrid run has one or two rows per candidate, with each source's own rank and score. Any other run is its own
-- source.
create or replace view candidate_sources as
with of_run as (
    select run_id, unnest(case when len(sources) = 0 then [run_id] else sources end) as source_run_id from runs
)
select
    of_run.run_id,
    candidates.query_key,
    candidates.passage_key,
    of_run.source_run_id,
    source.retriever,
    candidates.rank,
    candidates.score,
from of_run
inner join runs as source on source.run_id = of_run.source_run_id
inner join candidates on candidates.run_id = of_run.source_run_id;
