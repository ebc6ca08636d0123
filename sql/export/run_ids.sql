-- run_ids: the first id in a run that a TREC file cannot hold, because white space separates its columns. Grain: at most one row.
with asked as (
    select distinct query_key, passage_key from candidates where run_id = $run
)
select what, id
from (
    select 'query' as what, query_id as id, query_key as key from queries semi join asked using (query_key)
    union all
    select 'passage', passage_id, passage_key from passages semi join asked using (passage_key)
) as ids
where regexp_matches(id, '[\s\v\x1c-\x1f\x{85}\pZ]')
order by what desc, key
limit 1;
