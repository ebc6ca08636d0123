-- annotations: the verdicts in force: of an annotator's verdicts on a pair, the newest. Grain: one row per (annotator, query_key, passage_key).
create or replace view annotations as
select
    stored_annotations.query_key,
    stored_annotations.passage_key,
    stored_annotations.relevant,
    stored_annotations.annotator,
    stored_annotations.sample_id,
    stored_annotations.note,
    stored_annotations.judged_at,
    stored_annotations.inclusion,
from stored_annotations
anti join (select * from stored_annotations where corrects) as newer
    on newer.annotator = stored_annotations.annotator
    and newer.query_key = stored_annotations.query_key
    and newer.passage_key = stored_annotations.passage_key
    and newer.revision > stored_annotations.revision;
