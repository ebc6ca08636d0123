-- passages_to_compare: passages on which two encoders are compared, drawn by their ids. Grain: one row per passage.
with drawn as (
    select passage_key from passages order by draw($seed, passage_id, ''), passage_key limit $size
)
select passage_text(title, text) as text
from passages
semi join drawn on drawn.passage_key = passages.passage_key
order by passages.passage_key;
