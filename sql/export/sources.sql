-- sources: the runs that found a negative, with its rank in each. Grain: one row per (query_key, passage_key).
-- For a hybrid run, these are the runs that it unites. arg_min with a count gives the list in the order of run_id.
create or replace temp table export_sources as
with used as (
    select unnest(if(len(sources) = 0, [run_id], sources)) as run_id from runs where list_contains($runs, run_id)
)
select
    candidates.query_key,
    candidates.passage_key,
    arg_min(
        {'run_id': runs.run_id, 'retriever': runs.retriever, 'rank': candidates.rank}, runs.run_id, 999999
    ) as negative_source,
from candidates
inner join runs on runs.run_id = candidates.run_id
semi join used on used.run_id = candidates.run_id
semi join export_negatives
    on export_negatives.query_key = candidates.query_key and export_negatives.passage_key = candidates.passage_key
where candidates.query_key between $first and $last
group by candidates.query_key, candidates.passage_key;
