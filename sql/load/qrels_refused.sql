-- qrels_refused: lines of qrels that are rejected. Grain: one row per reject.
select file, line, reason, concat_ws(chr(9), query_id, passage_id, relevance) as text, query_id, split
from outcomes
where reason is not null
order by number;
