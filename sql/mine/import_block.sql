-- import_block: the candidates of a block, ranked again by score; own copies only with $own_copies. Grain: one row per (query_key, passage_key).
select
    $run_id as run_id,
    query_key,
    passage_key,
    row_number() over (partition by query_key order by score desc, passage_key)::integer as rank,
    score::float as score,
from outcomes
anti join (select query_key, passage_key from own_copies where not $own_copies) as copies using (query_key, passage_key)
where reason is null and split = $split and query_key between $first and $last
order by query_key, rank;
