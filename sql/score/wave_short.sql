-- wave_short: the queries outside the sample that have fewer than $enough hard negatives for training at ranks up to $above. Grain: one row per query.
-- Deeper scores can only take negatives away from these queries (macros/usable_negatives.sql), so a resumed job finds
-- the same ones.
with satisfied as (
    select query_key
    from usable_negatives($run, $cutoffs)
    where "rank" <= $above
    group by query_key
    having count(*) >= $enough
)
select distinct found.query_key
from usable_candidates as found
anti join sampled_queries($run, $path) as sample on sample.query_key = found.query_key
anti join satisfied on satisfied.query_key = found.query_key
where found.run_id = $run;
