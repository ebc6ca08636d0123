-- fuse: the union of the sources' candidates, ranked by reciprocal rank fusion. Grain: one row per (query_key, passage_key).
-- score = sum of 1 / (60 + rank) over the sources that found the passage. The terms are decimals, so their sum
-- does not depend on the order. Source: Cormack, Clarke and Buettcher, SIGIR 2009.
with fused as (
    select query_key, passage_key, sum((1 / (60 + rank))::decimal(20, 17))::float as score
    from found
    group by query_key, passage_key
)
select
    $run_id as run_id,
    query_key,
    passage_key,
    row_number() over (partition by query_key order by score desc, passage_key)::integer as rank,
    score,
from fused
order by query_key, rank;
