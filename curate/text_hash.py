"""Text hashes that ignore case, white space, and punctuation that does not change the meaning.

Many texts are looked at together, as arrays with one element per character. A mark stands before each text and
after the last one.
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
# Dashes of typography are hyphens, but the long ones only between digits: elsewhere they part clauses.
LONG_DASH = re.compile(r"(?<=\d)[\u2014\u2015](?=\d)")
INVISIBLE = map(chr, (0xAD, 0x61C, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070)))
PLAIN = dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-") | dict.fromkeys(INVISIBLE, "")
# Not `*args, **kwargs`, and not single asterisks: *tmp* may be a pattern.
BOLD = re.compile(r"(?<![\w*])\*\*(\w|\w[^*\n]*[\w.:!?])\*\*(?![\w*])")
BLOCK = 1 << 18  # characters; their arrays fit the processor's cache
MARK = "\n"  # no token has it
MARK_CODE, SPACE = ord(MARK), ord(" ")
PAGE = 256

KNOWN, WORD, DIGIT, SIGN, POINT, HYPHEN, STROKE, INNER = (1 << bit for bit in range(8))
"""The bits of a character's kind: looked up; letter, digit or mark; digit; symbol and # % & * @; . or -; -; what
may begin an operator; punctuation that counts between two digits."""
LESS = ord("<")


def text_hashes(texts: Sequence[str]) -> "npt.NDArray[np.uint64]":
    """Return a 64-bit hash of each text; texts with the same tokens share it.

    The hash is an 8-byte blake2b digest, read as little-endian, of what `plain` returns.
    """
    import numpy as np

    digests = [blake2b(text.encode(), digest_size=8).digest() for text in plain(texts)]
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)


def plain(texts: Sequence[str]) -> list[str]:
    """Return the tokens of each text, joined by single spaces; of a text without tokens the stripped text.

    Tokens are taken after NFKC and case folding, without invisible characters and the asterisks of **bold**, and
    with dashes as hyphens. They are words (runs of letters, digits and marks); numbers with the punctuation
    between their digits; symbols and # % & * @; a hyphen on one side of a word; a point before a word; and
    operators such as != and ->. Other punctuation and white space only separate tokens.
    """
    found = [""] * len(texts)
    for places in _blocks(texts):
        for kept, place in zip(_tokens([_normalized(texts[place]) for place in places]), places, strict=True):
            found[place] = kept.rstrip(" ") or texts[place].strip()
    return found


def _blocks(texts: Sequence[str]) -> Iterator[list[int]]:
    """Yield the places of texts that are looked at together, those of ASCII apart from the others."""
    blocks: dict[bool, list[int]] = {True: [], False: []}
    sizes = {True: 0, False: 0}
    for place, text in enumerate(texts):
        is_ascii = text.isascii()
        blocks[is_ascii].append(place)
        sizes[is_ascii] += len(text)
        if sizes[is_ascii] > BLOCK:
            yield blocks[is_ascii]
            blocks[is_ascii], sizes[is_ascii] = [], 0
    yield from filter(None, blocks.values())


def _normalized(text: str) -> str:
    if "**" in text:
        text = BOLD.sub(r"\1", text)
    if text.isascii():
        return text
    normalized = normalize("NFKC", text)
    if normalized != text and any(map(text.__contains__, SUPERSCRIPTS)):
        normalized = normalize("NFKC", RAISED.sub(r"^\g<0>", text))
    for character in filter(normalized.__contains__, PLAIN):  # faster than one pattern for all of them
        normalized = normalized.replace(character, PLAIN[character])
    return LONG_DASH.sub("-", normalized) if "\u2014" in normalized or "\u2015" in normalized else normalized


def _tokens(texts: list[str]) -> list[str]:
    """Return the tokens of each text, joined by single spaces; a space may follow the last one."""
    import numpy as np

    joined = MARK.join(["", *(text.replace(MARK, " ") for text in texts), ""]).casefold()
    form, dtype = ("ascii", "u1") if joined.isascii() else ("utf-32-le", "<u4")
    encoded = joined.encode(form)
    codes: Codes = np.frombuffer(encoded, dtype)
    token, begins = _rules(codes, _kinds(encoded, codes))
    marks = codes == MARK_CODE
    gap = ~token
    gap[1:] &= token[:-1]  # the first character of a gap stays, as a space
    gap &= ~marks
    spaced = codes.copy()
    np.copyto(spaced, SPACE, where=gap)
    kept = token | gap | marks
    places = np.cumsum(np.add.reduceat(kept, [0, *begins], dtype=np.intp))[:-1]
    return np.insert(spaced[kept], places, SPACE).tobytes().decode(form).split(MARK)[1:-1]


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


def _rules(codes: "Codes", kinds: "Kinds") -> "tuple[Flags, npt.NDArray[np.intp]]":
    """Return which characters are in tokens, and the places where a token begins right behind another one."""
    import numpy as np

    token = kinds & (WORD | SIGN) != 0
    looked_at = kinds & (SIGN | HYPHEN) != 0  # few characters need more than a look at their kind
    looked_at[:-1] |= (kinds[:-1] & INNER != 0) & (kinds[1:] & WORD != 0)
    at = np.flatnonzero(looked_at)
    earlier, before, here, after = (kinds[at + step] for step in (-2, -1, 0, 1))
    sign, hyphen = here & SIGN != 0, here & HYPHEN != 0
    joined = (here & INNER != 0) & (before & after & DIGIT != 0)  # 3.5, 1,000, 10:30
    first = (here & POINT != 0) & (after & WORD != 0)
    attached = first & (before & (WORD | SIGN | POINT) == 0)  # -5, .NET
    double = first & hyphen & (before & HYPHEN != 0) & (earlier & (WORD | SIGN | POINT) == 0)  # --force
    token[at[joined | attached | double]] = True
    token[at[double] - 1] = True
    closes = ((codes[at] == ord("=")) | (codes[at] == ord(">"))) & (before & STROKE != 0)
    arrows = (codes[at] == LESS) & (after & HYPHEN != 0)
    operators = _operators(codes, kinds, at[closes | arrows].tolist())
    signed = np.setdiff1d(at[first & hyphen & (before & SIGN != 0)], operators[:, 1])  # = -5, written together
    signed = np.setdiff1d(signed, operators[:, 1] - 1)
    token[signed] = True
    for start, end in operators.tolist():
        token[start:end] = True
    free = (before & (WORD | SIGN) != 0) | np.isin(at, operators[:, 1])
    trailing = at[hyphen & free & (after & (WORD | SIGN | HYPHEN) == 0) & ~token[at]].tolist()  # A-
    alone = [place for place in trailing if not _leads_to_token(place, codes, kinds, token, operators[:, 0])]
    token[alone] = True
    words = at[sign & (before & WORD != 0)], at[sign & (after & WORD != 0)] + 1
    begins = np.unique(np.concatenate([*words, signed, operators.ravel(), alone]).astype(np.intp))
    return token, begins[token[begins] & token[begins - 1]]


def _operators(codes: "Codes", kinds: "Kinds", signs: list[int]) -> "npt.NDArray[np.intp]":
    """Return the start and end of each operator (!=, ->, :=, <-), given the places of = > < that may be in one."""
    import numpy as np

    found: list[tuple[int, int]] = []
    last = 0  # the end of the operator before
    for at in signs:
        start, end = at, at + 1
        if codes[at] == LESS:
            if kinds[at - 1] & SIGN and last != at:
                continue
            end = at + 2
        else:
            while start > last and kinds[start - 1] & STROKE:
                start -= 1
            if start == at:
                continue
        found.append((start, end))
        last = end
    return np.array(found, np.intp).reshape(-1, 2)


def _leads_to_token(
    hyphen: int, codes: "Codes", kinds: "Kinds", token: "Flags", operators: "npt.NDArray[np.intp]"
) -> bool:
    """Return whether the punctuation behind a hyphen goes on to an operator, or to a hyphen or point of a word."""
    end = hyphen + 1
    while not token[end] and codes[end] != MARK_CODE:
        end += 1
    return codes[end] != MARK_CODE and (not kinds[end] & (WORD | SIGN) or end in operators)
