"""Texts that are nearly the same: MinHash finds pairs that may be, and their shingles decide.

Source: Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, 3.3 and 3.4. A pair of the similarity s agrees
in one of the BANDS with the probability 1 - (1 - s ** ROWS) ** BANDS: at 0.7, one pair in 6,500 is overlooked, at
0.8 one in 20 million. Of the others, those are left out whose sketches say that they are less similar than asked
by more than SLACK: one in 5,400 at 0.7 and one in 21,000 at 0.8, by the binomial distribution. No decision rests
on a sketch: the similarity of each pair that is left is counted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import rensa

from curate.check.shingles import jaccard, shingles
from curate.ragged import Ragged

ROWS, BANDS = 4, 32
SEED = 0
LEAST = 0.7
"""The least similarity for which the bands are enough."""
SLACK = 0.15
BLOCK = 8192  # texts that are compared at once
PAIRS = 1 << 17  # pairs whose sketches are compared at once: their numbers take 128 MB
AGREEING = 1 << 22  # agreements in a band that are looked at together; questions of one template agree in many
BAND = ("band", "low", "high")
Places = npt.NDArray[np.int64]
Sketches = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Near:
    """Two texts that are nearly the same, by their places in two lists."""

    first: int
    second: int
    similarity: float
    """The share of the shingles of both that they have in common (Jaccard)."""


class Texts:
    """Texts that others are compared with. In memory are the texts, and 1.3 kB of each."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Sketch the texts."""
        self.texts = texts
        blocks = [shingles(texts[start : start + BLOCK]) for start in range(0, len(texts), BLOCK)]
        self.sizes = np.concatenate([np.zeros(0, np.int64), *(block.lengths for block in blocks)])
        self.sketches = np.concatenate([np.zeros((0, ROWS * BANDS), np.uint32), *map(_sketches, blocks)])
        self.bands = _bands(self.sketches)
        self.sizes_of_bands = self.bands.group_by(BAND).len()

    def near(self, texts: Sequence[str], least: float) -> Iterator[Near]:
        """Yield each text of `texts` with each of these that is so similar, in the order of both lists."""
        for start in range(0, len(texts), BLOCK):
            own = shingles(texts[start : start + BLOCK])
            first, second = self._alike(own, least)
            others, rows = np.unique(second, return_inverse=True)
            theirs = shingles([self.texts[place] for place in others.tolist()])
            for one, other, row in zip(first.tolist(), second.tolist(), rows.tolist(), strict=True):
                similarity = jaccard(own[one], theirs[row])
                if similarity >= least:
                    yield Near(start + one, other, similarity)

    def _alike(self, own: Ragged, least: float) -> tuple[Places, Places]:
        """Return the pairs of texts that may be so similar, in the order of both lists."""
        sketches = _sketches(own)
        parts = [self._agreeing(bands) for bands in self._in_parts(_bands(sketches))]
        first, second = (np.concatenate([part[side].to_numpy() for part in parts]) for side in ("text", "text_of"))
        small, large = np.sort([own.lengths[first], self.sizes[second]], axis=0)
        fits = small >= least * large  # the similarity is at most the share of the sizes
        first, second = first[fits], second[fits]
        for at in range(0, len(first), PAIRS):
            part = slice(at, at + PAIRS)
            agree = (sketches[first[part]] == self.sketches[second[part]]).mean(axis=1)
            fits[at : at + len(agree)] = agree >= least - SLACK
        return first[fits[: len(first)]], second[fits[: len(first)]]

    def _in_parts(self, bands: pl.DataFrame) -> list[pl.DataFrame]:
        """Return the bands of some texts in parts, none of which agrees with much more than AGREEING others."""
        counted = bands.join(self.sizes_of_bands, on=BAND, how="left")
        of_text = counted.group_by("text").agg(pl.col("len").sum()).sort("text")
        part = of_text.select("text", part=pl.col("len").fill_null(0).cum_sum() // AGREEING)
        return bands.join(part, on="text").partition_by("part", maintain_order=True, include_key=False)

    def _agreeing(self, bands: pl.DataFrame) -> pl.DataFrame:
        """Return the pairs of texts that agree in a band, in the order of both lists."""
        pairs = bands.join(self.bands, on=BAND, suffix="_of")
        return pairs.select("text", "text_of").unique().sort("text", "text_of")


def _sketches(sets: Ragged) -> Sketches:
    """Return the sketch of each set: texts x numbers."""
    offsets = np.append(sets.starts, len(sets.values)).astype(np.uint64)
    values = _mixed(sets.values)
    matrix = rensa.RMinHash.digest_matrix_from_flat_token_hashes(values, offsets, ROWS * BANDS, SEED)
    return np.array(matrix.to_rows(), np.uint32).reshape(-1, ROWS * BANDS)


def _bands(sketches: Sketches) -> pl.DataFrame:
    """Return the bands of texts. Grain: one row per text and band."""
    words = np.ascontiguousarray(sketches).view(np.uint64).reshape(-1, ROWS // 2)
    return pl.DataFrame(
        {
            "text": np.repeat(np.arange(len(sketches)), BANDS),
            "band": np.tile(np.arange(BANDS, dtype=np.uint8), len(sketches)),
            "low": words[:, 0],
            "high": words[:, 1],
        }
    )


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return other numbers, one for each: neighbours are no longer near each other, as MinHash expects of hashes.

    Source: the finalizer of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
    """
    mixed = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    result: npt.NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return result
