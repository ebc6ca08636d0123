"""Text hashes that ignore case, white space, and punctuation that does not change the meaning.

Many texts are looked at together, as arrays with one element per character, because every rule depends on the nearest
characters only. A mark stands before each text and after the last one.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from unicodedata import category, normalize

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Codes = npt.NDArray[np.unsignedinteger[Any]]
    Kinds = npt.NDArray[np.uint8]
    Flags = npt.NDArray[np.bool_]

# NFKC makes digits of superscripts, but 10⁵ is not 105.
SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾"
RAISED = re.compile(f"[{SUPERSCRIPTS}]+")
BLOCK = 1 << 16  # characters; their arrays fit the processor's cache
MARK = "\n"  # no token has it
MARK_CODE, SPACE = ord(MARK), ord(" ")
PAGE = 256

KNOWN, WORD, DIGIT, SIGN, POINT, HYPHEN, STROKE, INNER = (1 << bit for bit in range(8))
"""Kinds of characters: in a word; a number; a sign that always counts; . and -; -; part of an operator; counts between
two digits."""


def text_hashes(texts: Sequence[str]) -> "npt.NDArray[np.uint64]":
    """Return a 64-bit hash of each text; texts with the same tokens share it.

    Tokens are taken after NFKC and case folding. They are words (runs of letters, digits and marks); numbers with
    the punctuation between their digits; symbols and # % & * @; a hyphen on one side of a word; a point before a
    word; and operators such as != and ->. Other punctuation and white space only separate tokens. The hash is an
    8-byte blake2b digest, read as little-endian, of the tokens joined by single spaces. For a text without tokens,
    the digest is that of the stripped text.
    """
    import numpy as np

    hashes = np.empty(len(texts), np.uint64)
    for places in _blocks(texts):
        tokens = _tokens([_folded(texts[place]) for place in places])
        digests = [
            blake2b((kept.rstrip(" ") or texts[place].strip()).encode(), digest_size=8).digest()
            for kept, place in zip(tokens, places, strict=True)
        ]
        hashes[places] = np.frombuffer(b"".join(digests), "<u8")
    return hashes


def _blocks(texts: Sequence[str]) -> Iterator[list[int]]:
    """Yield the places of texts that are looked at together, those of ASCII apart from the others."""
    for is_ascii in (True, False):
        places, size = list[int](), 0
        for place, text in enumerate(texts):
            if text.isascii() is is_ascii:
                places.append(place)
                size += len(text)
                if size > BLOCK:
                    yield places
                    places, size = [], 0
        if places:
            yield places


def _folded(text: str) -> str:
    if not text.isascii():
        folded = normalize("NFKC", text)
        if folded != text and any(map(text.__contains__, SUPERSCRIPTS)):
            folded = normalize("NFKC", RAISED.sub(r"^\g<0>", text))
        text = folded
    return text.casefold()


def _tokens(texts: list[str]) -> list[str]:
    """Return the tokens of each folded text, joined by single spaces; a space may follow the last one."""
    import numpy as np

    joined = MARK.join(["", *(text.replace(MARK, " ") for text in texts), ""])
    form, dtype = ("ascii", "u1") if joined.isascii() else ("utf-32-le", "<u4")
    encoded = joined.encode(form)
    codes: Codes = np.frombuffer(encoded, dtype)
    token, begins = _rules(codes, _kinds(encoded, codes))
    gap = _before(token) & ~token  # the first character of a gap stays, as a space
    mark = codes == MARK_CODE
    kept = token | gap | mark
    starts = np.flatnonzero(begins)
    places = np.cumsum(np.add.reduceat(kept, [0, *starts], dtype=np.intp))[:-1]
    chosen = np.where(gap & ~mark, codes.dtype.type(SPACE), codes)[kept]
    return np.insert(chosen, places, SPACE).tobytes().decode(form).split(MARK)[1:-1]


def _kinds(encoded: bytes, codes: "Codes") -> "Kinds":
    """Return the kinds of the characters."""
    import numpy as np

    if codes.itemsize == 1:
        return np.frombuffer(encoded.translate(_page(0)), np.uint8)
    table = _table()
    kinds = table[codes]
    if not kinds.all():
        for page in np.unique(codes[kinds == 0] // PAGE).tolist():
            table[page * PAGE : (page + 1) * PAGE] = np.frombuffer(_page(page), np.uint8)
        kinds = table[codes]
    return kinds


@cache
def _table() -> "Kinds":
    """Return the kinds of all characters, 0 where they are not looked up yet."""
    import numpy as np

    return np.zeros(sys.maxunicode + 1, np.uint8)


@cache
def _page(page: int) -> bytes:
    return bytes(_kind(chr(code)) for code in range(page * PAGE, (page + 1) * PAGE))


def _kind(character: str) -> int:
    major = category(character)[0]
    if major in "LNM":
        return KNOWN | WORD | (DIGIT if major == "N" else 0)
    if character in "#%‰‱&*@" or (major == "S" and character != "`"):  # ` is a quotation mark
        return KNOWN | SIGN
    return (
        KNOWN
        | (INNER if major == "P" else 0)
        | (STROKE if character in "-!:/" else 0)
        | (POINT if character in "-." else 0)
        | (HYPHEN if character == "-" else 0)
    )


def _before(flags: "Flags") -> "Flags":
    """Return for each character the flag of the one before it."""
    import numpy as np

    return np.concatenate((flags[-1:], flags[:-1]))


def _after(flags: "Flags") -> "Flags":
    """Return for each character the flag of the one after it."""
    import numpy as np

    return np.concatenate((flags[1:], flags[:1]))


def _rules(codes: "Codes", kinds: "Kinds") -> "tuple[Flags, Flags]":
    """Return which characters are in tokens, and where a token begins right behind another one."""
    letter, digit, sign, hyphen, stroke = (kinds & kind != 0 for kind in (WORD, DIGIT, SIGN, HYPHEN, STROKE))
    word = letter | ((kinds & INNER != 0) & _before(digit) & _after(digit))  # 3.5, 1,000, 10:30
    rest = ~(word | sign)
    opening = rest & (kinds & POINT == 0)
    first = rest & (kinds & POINT != 0) & _after(letter)
    attached = first & _before(opening)  # -5, .NET
    double = first & hyphen & _before(hyphen & _before(opening))  # --force
    attached |= double | _after(double)
    signed = first & hyphen & _before(sign)  # = -5, written together
    marked = codes == MARK_CODE
    other, begins = _operators(codes, sign, stroke, rest)
    signed &= ~(other | _before(other))
    words = word | attached | signed
    _trailing(hyphen, rest, words, other, begins, marked)
    token = words | sign | other
    return token, token & _before(token) & (begins | (words != _before(words)))


def _operators(codes: "Codes", sign: "Flags", stroke: "Flags", rest: "Flags") -> "tuple[Flags, Flags]":
    """Return which characters are in operators (!=, ->, :=, <-), and the first ones of these and behind these.

    The hyphen of <- is taken out of `rest`.
    """
    import numpy as np

    inside, begins = np.zeros((2, len(codes)), bool)
    less, closing = codes == ord("<"), ((codes == ord("=")) | (codes == ord(">"))) & _before(stroke & rest)
    last = 0
    for at in np.flatnonzero(closing | (less & _after(codes == ord("-")))).tolist():
        start, end = at, at + 1
        if not less[at]:
            while stroke[start - 1] and rest[start - 1]:
                start -= 1
            if start == at:
                continue  # the hyphen belongs to <-
        elif sign[at - 1] and last != at:
            continue
        else:
            end = at + 2
            rest[at + 1] = False
        inside[start:end] = begins[start] = begins[end] = True
        last = end
    return inside, begins


def _trailing(
    hyphen: "Flags",
    rest: "Flags",
    words: "Flags",
    other: "Flags",
    begins: "Flags",
    marked: "Flags",
) -> None:
    """Add the hyphens right behind a word (A-) to the tokens in `other`."""
    import numpy as np

    for at in np.flatnonzero(hyphen & rest & ~_before(rest) & _after(rest & ~hyphen) & ~words & ~other).tolist():
        end = at + 1
        while rest[end] and not (marked[end] or words[end] or other[end]):
            end += 1
        claimed = other[end] or (rest[end] and words[end])
        other[at] = begins[at] = marked[end] or not claimed
