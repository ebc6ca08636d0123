"""The resemblance of given pairs of texts, counted exactly: their common shingles as a share of all (Jaccard).

`near.py` searches for pairs that are nearly the same; here, the pairs are known. Most of them have little in
common, and an outline of each text shows that: a bit for each of its shingles, at a place drawn by hash. If the
other text lacks the bit, it lacks the shingle. So the outlines give an upper bound of the resemblance, and the
shingles are compared only where it is high enough. Nothing is overlooked and nothing is estimated.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from curate.check.shingles import jaccard, shingles

BITS = 4096  # of an outline: 512 bytes
PLACE = np.uint64(64 - 12)  # the bits of a hash that the place does not need
SPREAD = np.uint64(0x9E3779B97F4A7C15)
PAIRS = 1 << 15  # pairs whose outlines are compared at once: 50 MB
LIKELY = 1 << 16  # likely pairs whose texts are in memory at once
AT_ONCE = 2048  # of these, pairs whose shingles are
Keys = npt.NDArray[np.integer]
TextsOf = Callable[[Keys], Iterable[Sequence[str]]]
"""Takes the keys of texts, ascending; yields the texts in this order, in batches of some thousands."""


@dataclass(frozen=True)
class Outlines:
    """The outlines of texts, and the numbers of their shingles."""

    keys: Keys
    bits: npt.NDArray[np.uint64]
    """Texts x BITS / 64."""
    sizes: npt.NDArray[np.int64]

    @classmethod
    def of(cls, keys: Keys, texts_of: TextsOf) -> "Outlines":
        """Return the outlines of the texts with these keys, ascending."""
        bits = np.zeros((len(keys), BITS // 64), np.uint64)
        sizes = np.zeros(len(keys), np.int64)
        done = 0
        for texts in texts_of(keys):
            found = shingles(texts)
            rows = slice(done, done + len(found))
            flags = np.zeros((len(found), BITS), np.bool_)
            places = (found.values * SPREAD) >> PLACE
            flags[np.repeat(np.arange(len(found)), found.lengths), places] = True
            bits[rows] = np.packbits(flags, axis=1).view(np.uint64)
            sizes[rows] = found.lengths
            done += len(found)
        return cls(keys, bits, sizes)

    def at_most(self, first: Keys, second: Keys) -> npt.NDArray[np.float64]:
        """Return an upper bound of the resemblance of each pair, by the keys of its texts."""
        one, two = np.searchsorted(self.keys, first), np.searchsorted(self.keys, second)
        common = np.minimum(self._not_missing(one, two), self._not_missing(two, one))
        bound: npt.NDArray[np.float64] = common / np.maximum(self.sizes[one] + self.sizes[two] - common, 1)
        return bound

    def _not_missing(self, one: Keys, two: Keys) -> npt.NDArray[np.int64]:
        """Return how many shingles of a text the other one may have."""
        missing = np.bitwise_count(self.bits[one] & ~self.bits[two]).sum(axis=1, dtype=np.int64)
        left: npt.NDArray[np.int64] = self.sizes[one] - missing
        return left


def resemblances(first: Keys, second: Keys, texts_of: TextsOf, least: float) -> Iterator[tuple[int, int, float]]:
    """Yield the pairs that resemble each other by at least `least`, with their resemblance, in their order.

    first, second: the keys of the texts of each pair. In memory are the outlines of all texts, the texts of some
    pairs, and the shingles of fewer.
    """
    outlines = Outlines.of(np.unique(np.concatenate([first, second])), texts_of)
    parts = [slice(start, start + PAIRS) for start in range(0, len(first), PAIRS)]
    likely = [part.start + np.flatnonzero(outlines.at_most(first[part], second[part]) >= least) for part in parts]
    places = np.concatenate([*likely, np.zeros(0, np.int64)])
    for start in range(0, len(places), LIKELY):
        some = places[start : start + LIKELY]
        yield from _counted(first[some], second[some], texts_of, least)


def _counted(first: Keys, second: Keys, texts_of: TextsOf, least: float) -> Iterator[tuple[int, int, float]]:
    keys = np.unique(np.concatenate([first, second]))
    texts = list(chain.from_iterable(texts_of(keys)))
    for start in range(0, len(first), AT_ONCE):
        one, two = (np.searchsorted(keys, side[start : start + AT_ONCE]) for side in (first, second))
        used = np.unique(np.concatenate([one, two]))
        found = shingles([texts[place] for place in used.tolist()])
        rows = (np.searchsorted(used, side).tolist() for side in (one, two))
        for a, b in zip(*rows, strict=True):
            resemblance = jaccard(found[a], found[b])
            if resemblance >= least:
                yield int(keys[used[a]]), int(keys[used[b]]), resemblance
