-- passages_by_id: all passages, including those of the current load, in the form that load/repeats compares. Grain: one row per passage.
create or replace temp view by_id as
select
    passage_key as key,
    passage_id as id,
    md5(concat(length(title), ':', title, text)) as content,
    null as split,
    text_hash,
    left(text, 100) as beginning,
    'id known with another text or title' as reason,
from passages;
