-- passage_text: what a model reads of a passage: title and text. Grain: one value per call.
create or replace macro passage_text(title, body) as case when title = '' then body else title || ' ' || body end;
