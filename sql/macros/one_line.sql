-- one_line: a text for a column of a TSV file: tabs and line breaks become spaces. Grain: one value per call.
-- The readers split at every tab and every line break, and know no quotes. The breaks are those of Python's
-- splitlines(), so that no reader sees another line.
create or replace macro one_line(body) as regexp_replace(body, '[\t-\r\x1c-\x1e\x{85}\x{2028}\x{2029}]', ' ', 'g');
