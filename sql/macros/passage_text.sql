-- passage_text: the text of a passage as the models read it: title, space and text, stripped. Grain: one value per call.
-- The characters are those that Python's strip() takes away, as beir does.
create or replace macro passage_text(title, body) as trim(
    concat(title, ' ', body),
    concat(
        ' ', chr(9), chr(10), chr(11), chr(12), chr(13), chr(28), chr(29), chr(30), chr(31), chr(133), chr(160),
        chr(5760), chr(8192), chr(8193), chr(8194), chr(8195), chr(8196), chr(8197), chr(8198), chr(8199),
        chr(8200), chr(8201), chr(8202), chr(8232), chr(8233), chr(8239), chr(8287), chr(12288)
    )
);
