-- withdrawn_queries: queries of training runs that dev or test holds out since the run was mined. Grain: one row per (run_id, query_key).
create or replace view withdrawn_queries as
select runs.run_id, held_out.query_key
from runs
cross join held_out
where runs.split in ('train', 'unlabeled');
