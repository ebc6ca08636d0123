-- labels_taken: the new labels, in the order of their files. Grain: one row per judged pair (and annotator).
-- $revision: the number of the load.
select
    * exclude (file, line, query_id, passage_id, repeated, reason, corrects),
    $revision::integer as revision,
    coalesce(corrects, false) as corrects,
from outcomes
where reason is null and not repeated
order by number;
