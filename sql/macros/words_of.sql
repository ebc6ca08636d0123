-- words_of: the words of a text, in lower case. Grain: one value per call.
-- A word is a run of letters and digits. A letter of a script that puts no spaces between words counts as one.
create or replace macro words_of(content) as
    regexp_extract_all(
        regexp_replace(
            lower(content),
            '([\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}])',
            ' \1 ',
            'g'
        ),
        '[\p{L}\p{M}\p{N}]+'
    );
