-- annotations_refused: annotations that are rejected. Grain: one row per reject.
select file, line, reason, concat_ws(chr(9), query_id, passage_id, relevant, annotator) as text
from outcomes
where reason is not null
order by number;
