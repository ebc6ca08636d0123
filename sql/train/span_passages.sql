-- span_passages: the passages that a run found, at most $most, drawn by hash. Grain: one row per passage.
select passages.passage_key, passages.passage_id, passage_text(passages.title, passages.text) as passage
from (select distinct passage_key from candidates where run_id = $run) as found
inner join passages on passages.passage_key = found.passage_key
order by draw($seed, 'span', passages.passage_id), passages.passage_key
limit $most;
