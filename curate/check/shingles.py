"""The shingles of texts: short runs of characters, as whole numbers. Texts with many of them in common are alike.

Three characters make a shingle, and two in scripts that are written without spaces, where a character is half a
word or a whole one. A character has 21 bits, so that a shingle fits an integer of 64: no hash stands between a
text and what is counted.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from curate.mine.tokens import UNSPACED
from curate.ragged import Ragged
from curate.text_hash import plain

Codes = npt.NDArray[np.uint64]
BITS = np.uint64(21)
NOTHING = np.uint64((1 << 21) - 1)
"""No character: in the place of the third one."""
SURROGATES = range(0xD800, 0xE000)
LAST = 0x30000  # no script without spaces has a character from here on


def shingles(texts: Sequence[str]) -> Ragged:
    """Return the shingles of each text (uint64, ascending, each once), with a space at both ends.

    Case, punctuation and white space do not count: texts with one text_hash have the same shingles.
    """
    return Ragged.of([_of(f" {text} ") for text in plain(texts)], np.uint64)


def jaccard(first: Codes, second: Codes) -> float:
    """Return the share of the shingles of two texts that they have in common; 0 if they have none."""
    common = len(np.intersect1d(first, second, assume_unique=True))
    return common / max(len(first) + len(second) - common, 1)


def _of(text: str) -> Codes:
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint64)
    pairs = codes[:-1] << BITS | codes[1:]
    threes = pairs[:-1] << BITS | codes[2:]
    unspaced = _unspaced()[np.minimum(codes, LAST)]
    # A pair is a shingle of its own where one of the two is in such a script, and part of no other one.
    twos = pairs[unspaced[:-1] | unspaced[1:]] << BITS | NOTHING
    spaced = ~(unspaced[:-2] | unspaced[1:-1] | unspaced[2:])
    return np.unique(np.concatenate([threes[spaced], twos]))


@cache
def _unspaced() -> npt.NDArray[np.bool_]:
    """Return whether a character, by its number, is of a script without spaces; LAST stands for those beyond."""
    known = np.zeros(LAST + 1, np.bool_)
    every = "".join(" " if code in SURROGATES else chr(code) for code in range(LAST))
    for run in UNSPACED.finditer(every):
        known[run.start() : run.end()] = True
    return known
