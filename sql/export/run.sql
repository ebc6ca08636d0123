-- run: what a run found, best first. Grain: one row per query of the run.
select
    queries.query_id,
    array_agg(passages.passage_id order by candidates.rank) as passage_ids,
    array_agg(candidates.score order by candidates.rank) as scores,
from candidates
inner join queries on queries.query_key = candidates.query_key
inner join passages on passages.passage_key = candidates.passage_key
where candidates.run_id = $run
group by candidates.query_key, queries.query_id
order by candidates.query_key;
