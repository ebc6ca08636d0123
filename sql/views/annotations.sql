-- annotations: the verdicts in force: of an annotator's verdicts on a pair, the newest. Grain: one row per (annotator, query_key, passage_key).
-- A verdict that names a sample drawn here has the pair's chance from it: annotators do not see it, and files need not have it.
create or replace view annotations as
select
    stored_annotations.query_key,
    stored_annotations.passage_key,
    stored_annotations.relevant,
    stored_annotations.annotator,
    stored_annotations.sample_id,
    stored_annotations.note,
    stored_annotations.judged_at,
    coalesce(stored_annotations.inclusion, sample_pairs.inclusion) as inclusion,
from stored_annotations
left join sample_pairs
    on sample_pairs.sample_id = stored_annotations.sample_id
    and sample_pairs.query_key = stored_annotations.query_key
    and sample_pairs.passage_key = stored_annotations.passage_key
anti join (select * from stored_annotations where corrects) as newer
    on newer.annotator = stored_annotations.annotator
    and newer.query_key = stored_annotations.query_key
    and newer.passage_key = stored_annotations.passage_key
    and newer.revision > stored_annotations.revision;
