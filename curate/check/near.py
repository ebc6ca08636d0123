"""Texts that are nearly the same: MinHash finds pairs that may be, and their shingles decide.

Source: Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, 3.3 and 3.4. A pair of the similarity s agrees in one
of the BANDS with the probability 1 - (1 - s ** ROWS) ** BANDS: at 0.7, one pair in 6,500 is overlooked, at 0.8 one in
20 million. What is found depends on no sketch: the similarity of each pair is counted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import rensa

from curate.check.shingles import shingles
from curate.ragged import Ragged

ROWS, BANDS = 4, 32
SEED = 0
LEAST = 0.7
"""The least similarity for which the bands are enough."""
BLOCK = 8192  # texts that are compared at once


@dataclass(frozen=True)
class Near:
    """Two texts that are nearly the same, by their places in two lists."""

    first: int
    second: int
    similarity: float
    """The share of the shingles of both that they have in common (Jaccard)."""


class Texts:
    """Texts that others are compared with. In memory are the texts, and half a kilobyte of each."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Sketch the texts."""
        self.texts = texts
        blocks = [_bands(shingles(texts[start : start + BLOCK]), start) for start in range(0, len(texts), BLOCK)]
        self.bands = pl.concat(blocks) if blocks else _bands(shingles([]), 0)

    def near(self, texts: Sequence[str], least: float) -> Iterator[Near]:
        """Yield every text of `texts` with each of these that is at least so similar, in the order of both lists."""
        for start in range(0, len(texts), BLOCK):
            block = texts[start : start + BLOCK]
            own = shingles(block)
            pairs = _bands(own, 0).join(self.bands, on=["band", "low", "high"], suffix="_of")
            found = pairs.select("text", "text_of").unique().sort("text", "text_of")
            others = found["text_of"].unique().sort()
            theirs = shingles([self.texts[place] for place in others])
            rows = others.search_sorted(found["text_of"]) if len(found) else []
            for first, second, row in zip(found["text"], found["text_of"], rows, strict=True):
                similarity = _jaccard(own[first], theirs[row])
                if similarity >= least:
                    yield Near(start + first, second, similarity)


def _bands(sets: Ragged, first: int) -> pl.DataFrame:
    """Return the bands of texts, the first of which has the place `first`. Grain: one row per text and band."""
    offsets = np.append(sets.starts, len(sets.values)).astype(np.uint64)
    matrix = rensa.RMinHash.digest_matrix_from_flat_token_hashes(sets.values, offsets, ROWS * BANDS, SEED)
    digests = np.array(matrix.to_rows(), np.uint32).reshape(-1, ROWS * BANDS)
    words: npt.NDArray[np.uint64] = np.ascontiguousarray(digests).view(np.uint64).reshape(-1, ROWS // 2)
    return pl.DataFrame(
        {
            "text": np.repeat(np.arange(first, first + len(sets)), BANDS),
            "band": np.tile(np.arange(BANDS, dtype=np.uint8), len(sets)),
            "low": words[:, 0],
            "high": words[:, 1],
        }
    )


def _jaccard(first: npt.NDArray[np.uint64], second: npt.NDArray[np.uint64]) -> float:
    common = len(np.intersect1d(first, second, assume_unique=True))
    return common / (len(first) + len(second) - common)
