-- hidden_labels: complete labels of some queries, by which filters are measured. Grain: one row per (query_id, passage_id).
-- There are none, unless a report is given a file of them (curate report filters --hidden FILE).
create or replace view hidden_labels as
select null::varchar as query_id, null::varchar as passage_id, null::bigint as relevance
where false;
