-- wave_short: the queries outside the sample that have fewer than $enough hard negatives at ranks up to $above. Grain: one row per query.
-- Deeper scores change nothing here, so a resumed job finds the same queries.
select found.query_key
from found
anti join sampled_queries($run, $path) as sample on sample.query_key = found.query_key
where found.cutoffs = $cutoffs and found.run_id = $run and found."rank" <= $above
group by found.query_key
having count(*) filter (where found.decision = 'hard_negative') < $enough;
