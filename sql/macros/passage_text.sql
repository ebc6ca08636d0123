-- passage_text: the text of a passage as the models read it: title, space and text, stripped. Grain: one value per call.
-- The characters are those that Python's strip() takes away, as beir does. Most texts have none of them at their ends,
-- and a look at the ends costs little.
create or replace macro passage_text(title, body) as
    case
        when regexp_matches(concat(nullif(title, '') || ' ', body), '^[\pZ\t-\r\x1c-\x1f\x{85}]')
            or regexp_matches(concat(nullif(title, '') || ' ', body), '[\pZ\t-\r\x1c-\x1f\x{85}]$')
            then regexp_replace(
                concat(title, ' ', body), '^[\pZ\t-\r\x1c-\x1f\x{85}]+|[\pZ\t-\r\x1c-\x1f\x{85}]+$', '', 'g'
            )
        else concat(nullif(title, '') || ' ', body)
    end;
