-- passage_text: the text of a passage as the models read it: title and text. Grain: one value per call.
create or replace macro passage_text(title, body) as case when title = '' then body else title || ' ' || body end;
