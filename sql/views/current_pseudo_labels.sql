-- current_pseudo_labels: the pseudo-labels of the current run under the current cutoffs. Grain: one row per (query_key, passage_key).
create or replace view current_pseudo_labels as
select
    pseudo_labels.run_id,
    pseudo_labels.query_key,
    pseudo_labels.passage_key,
    queries.query_id,
    passages.passage_id,
    pseudo_labels.rank,
    pseudo_labels.probability,
from pseudo_labels
inner join current_runs on current_runs.run_id = pseudo_labels.run_id
inner join current_cutoffs on current_cutoffs.name = pseudo_labels.cutoffs
inner join queries on queries.query_key = pseudo_labels.query_key and queries.split = current_runs.split
inner join passages on passages.passage_key = pseudo_labels.passage_key;
