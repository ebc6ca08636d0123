-- labels_taken: the new labels, in the order of their files. Grain: one row per judged pair (and annotator).
select * exclude (file, line, query_id, passage_id, repeated, reason)
from outcomes
where reason is null and not repeated
order by number;
