-- export_sources: which retrievers found a negative, and at which rank. Grain: one row per (query_key, passage_key).
create or replace temp table export_sources as
select
    sources.query_key,
    sources.passage_key,
    list_sort(
        list_distinct(
            list({'run_id': sources.source_run_id, 'retriever': sources.retriever, 'rank': sources.rank})
        )
    ) as negative_source,
from candidate_sources as sources
semi join export_negatives
    on export_negatives.query_key = sources.query_key and export_negatives.passage_key = sources.passage_key
where list_contains($runs, sources.run_id) and sources.query_key between $first and $last
group by sources.query_key, sources.passage_key;
