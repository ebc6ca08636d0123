"""Texts of a collection for people: harmless, short, and with the words marked that query and passage share."""

from collections.abc import Collection, Sequence

import regex

from .document import Word
from .safe_text import clean

MOST = 420
"""The characters of a passage that are shown."""
BEFORE = 120
"""The characters that are shown before the first shared word, if that comes late."""
READ = 20_000
"""The characters of a passage that are looked at: one may be a megabyte long."""
UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
WORDS = regex.compile(rf"{UNSPACED}|[[\p{{L}}\p{{M}}\p{{N}}]--{UNSPACED}]+", regex.VERSION1)
"""The words as sql/macros/words_of.sql finds them: a letter of a script without spaces is one by itself."""


def passage(text: str, shared: Collection[str] = ()) -> Sequence[Word]:
    """Return the part of a passage around the words that it shares with the query, cleaned, with these marked."""
    whole = clean(text[:READ])
    first = next((found.start() for found in WORDS.finditer(whole) if found[0].lower() in shared), 0)
    start = 0 if first < MOST - BEFORE else _start_of_word(whole, first - BEFORE)
    part = whole[start : start + MOST]
    cut = start + MOST < len(whole) or len(text) > READ
    words = [*([Word("... ")] if start else []), *_marked(part, shared)]
    return [*words, *([Word(" ...")] if cut else [])]


def short(text: str, most: int = 200) -> str:
    """Return the beginning of a text, cleaned; a cut is marked by '...'."""
    whole = clean(text[: most * 4])
    return whole if len(whole) <= most else f"{whole[:most].rstrip()} ..."


def plain(words: Sequence[Word]) -> str:
    """Return a marked text without its marks."""
    return "".join(word.text for word in words)


def _start_of_word(text: str, place: int) -> int:
    space = text.find(" ", place)
    return place if space < 0 or space > place + BEFORE else space + 1


def _marked(text: str, shared: Collection[str]) -> list[Word]:
    pieces: list[Word] = []
    end = 0
    for found in WORDS.finditer(text):
        if found[0].lower() in shared:
            pieces += [Word(text[end : found.start()]), Word(found[0], shared=True)]
            end = found.end()
    return [piece for piece in [*pieces, Word(text[end:])] if piece.text]
