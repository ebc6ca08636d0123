-- current_decisions: the decisions that reports, exports and trainings use if nothing else is named. Grain: one row per (run_id, query_key, passage_key).
-- They are the rows of `found` for the current run of each split under the current cutoffs. No pair of a query
-- appears twice, because a query belongs to one split. Rows of a run that was mined before its query moved to another
-- split are left out.
create or replace view current_decisions as
select
    current_runs.split,
    found.run_id,
    found.query_key,
    found.passage_key,
    queries.query_id,
    passages.passage_id,
    found.rank,
    found.retriever_score,
    found.probability,
    found.decision,
    found.decided_by,
from found
inner join current_runs on current_runs.run_id = found.run_id
inner join current_cutoffs on current_cutoffs.name = found.cutoffs
inner join queries on queries.query_key = found.query_key and queries.split = current_runs.split
inner join passages on passages.passage_key = found.passage_key;
