"""The words of a text, for BM25: the same for passages and queries in every language and script."""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from itertools import chain, pairwise

ASCII_WORD = re.compile("[a-z0-9]+")
# Han, Kana, Bopomofo and Yi are written without spaces. Korean has spaces, but its particles stick to the nouns.
EAST = (
    "\u3005\u3007\u3040-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\ua000-\ua48f"
    "\u1100-\u11ff\ua960-\ua97f\uac00-\ud7ff\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
# Thai, Lao, Burmese, Khmer and their neighbours have no spaces either, and vowels above and below the letters.
SOUTH_EAST = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\ua9e0-\ua9ff\uaa60-\uaadf"
UNSPACED = re.compile(f"([{EAST}{SOUTH_EAST}]+)")
OF_SOUTH_EAST = re.compile(f"[{SOUTH_EAST}]")
PERSIAN_JOINT = "\u200c"  # stands before a suffix, where others write a space
AFTER_ARABIC = re.compile("(?<=[\u0600-\u06ff])\u200c")
ONE_LETTER = {  # letters that are typed one for the other
    **dict.fromkeys("آأإٱ", "ا"),
    **dict.fromkeys("یے", "ي"),
    **dict.fromkeys("ہۀە", "ه"),
    "ک": "ك",
    "ё": "е",
}


def tokens(text: str, *, query: bool = False) -> list[str]:
    """Return the words of a text: runs of letters and digits in NFKC, without case and without optional marks.

    A run in a script without spaces becomes its pairs of neighbouring characters. In a passage, the characters
    themselves follow, so that a query of one character finds it.
    """
    text = unicodedata.normalize("NFKC", text).casefold().replace("_", " ")
    if text.isascii():
        return ASCII_WORD.findall(text)
    text = unicodedata.normalize("NFKC", text)  # casefold can take letters apart
    if PERSIAN_JOINT in text:
        text = AFTER_ARABIC.sub(" ", text)
    found = []
    for word in _word().findall(text):
        if word.isascii():
            found.append(word)
        else:
            found += _pieces(word.translate(FOLD), query=query)
    return found


def _pieces(word: str, *, query: bool) -> list[str]:
    found = []
    for at, part in enumerate(UNSPACED.split(word)):
        characters = _characters(part) if at % 2 else [part]
        if len(characters) > 1:
            found += [first + second for first, second in pairwise(characters)]
        if part and not (query and len(characters) > 1):
            found += characters
    return found


def _characters(run: str) -> list[str]:
    """Return the characters as a reader sees them, each with its vowels and tones above and below it."""
    return _with_marks().findall(run) if OF_SOUTH_EAST.search(run) else list(run)


@cache
def _word() -> re.Pattern[str]:
    # `re` has no class of combining marks. Without them, words in Hindi or Arabic would be split. They are many:
    # looking for every space among them takes ten times as long.
    marks = "".join(each for each in _not_ascii() if _is_mark(each) or _is_format(each))
    return re.compile(f"(?:\\w+|(?![\0-\x7f])[{marks}]+)+")


@cache
def _with_marks() -> re.Pattern[str]:
    return re.compile(
        f".[{''.join(each for each in _not_ascii() if _is_mark(each) and OF_SOUTH_EAST.match(each))}]*"
    )


def _is_mark(character: str) -> bool:
    return unicodedata.category(character).startswith("M")


def _is_format(character: str) -> bool:
    return unicodedata.category(character) == "Cf"


def _not_ascii() -> Iterable[str]:
    """Return all characters beyond ASCII that may be marks."""
    return map(chr, chain(range(0x80, 0x20000), range(0xE0000, 0xE0200)))


def _folded(character: str) -> str:
    """Return what a character becomes; '' for a mark that writers often leave out."""
    name = unicodedata.name(character, "")
    if unicodedata.category(character) == "Nd":
        return str(unicodedata.decimal(character))
    if _is_format(character) or name in ("ARABIC TATWEEL", "DEVANAGARI SIGN NUKTA"):
        return ""
    # Letters with accents are single characters in NFKC. An accent of its own stresses a Russian word, or is the
    # dot that is left of the Turkish capital İ.
    if _is_mark(character) and name.startswith(("COMBINING", "VARIATION", "ARABIC", "HEBREW", "SYRIAC")):
        return ""
    if name.startswith("GREEK"):
        return "".join(each for each in unicodedata.normalize("NFD", character) if not _is_mark(each))
    return ONE_LETTER.get(character, character)


class _Fold(dict[int, str]):
    """What characters become, for `str.translate`: each is looked up when it first occurs."""

    def __missing__(self, code: int) -> str:
        self[code] = _folded(chr(code))
        return self[code]


FOLD = _Fold()
