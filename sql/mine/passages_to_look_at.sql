-- passages_to_look_at: passages that show the language of the collection, drawn by their ids. Grain: one row per passage.
-- The texts are read only for the passages that are drawn.
with drawn as (
    select passage_key from passages order by draw(0, passage_id, ''), passage_key limit $size
)
select passage_text(title, text) as text
from passages
semi join drawn on drawn.passage_key = passages.passage_key
order by draw(0, passage_id, ''), passage_key;
