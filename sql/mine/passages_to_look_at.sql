-- passages_to_look_at: passages that show the language of the collection, drawn by their ids. Grain: one row per passage.
select passage_text(title, text) as text from passages order by draw(0, passage_id, ''), passage_key limit $size;
