-- uncompared: the positives of a run's queries that were not compared with all of its top $depth, as uncompared. Grain: one row per (query_key, positive_key).
-- compared_depth: the top-k that they were compared with.
create or replace temp table uncompared as
select
    positives.query_key,
    positives.passage_key as positive_key,
    coalesce(max(compared.depth), 0) as compared_depth,
from positives
semi join (select query_key from usable_candidates where run_id = $run) as mined
    on mined.query_key = positives.query_key
left join compared
    on compared.run_id = $run
    and compared.query_key = positives.query_key
    and compared.positive_key = positives.passage_key
group by positives.query_key, positives.passage_key
having coalesce(max(compared.depth), 0) < $depth;
