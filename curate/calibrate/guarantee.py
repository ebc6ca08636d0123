"""Cutoffs that keep a promise, by fixed-sequence testing (Learn then Test, Angelopoulos et al. 2021).

A promise is about a share: of the candidates that a cutoff selects, at most `most` are wrong. The query is the
unit, because verdicts on the passages of one query depend on each other. A query's loss at a cutoff is the sum
over its selected pairs of (1 if wrong else 0) - most. The promise is broken if the mean loss over queries is
above 0.

The evidence against that is an e-value: what a bet against it wins, as the mean over stakes of the product over
queries of 1 - stake * loss. If the promise is broken, its expectation is at most 1, so it exceeds
1 / (1 - confidence) with a chance of at most 1 - confidence (Markov's inequality; Waudby-Smith and Ramdas 2024).
That holds for queries that are drawn by chance, with or without replacement, and for any distribution. The order
of the queries does not matter. If each query has one judged pair, the binomial test is exact, and takes its place.

The cutoffs are tested in a fixed order, the most careful first, until one fails. There are three places to start,
with a third of the error each. Order and starts depend on scores and on which pairs were judged, never on a
verdict.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from curate.calibrate.forms import Doubles

if TYPE_CHECKING:
    from collections.abc import Callable

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Side = Literal["above", "below"]
STAKES = 64
# A sequence starts where a flawless sample would do by this power of the error, so that it can bear some errors.
STARTS = (1.5, 3.0, 6.0)


@dataclass(frozen=True)
class Sample:
    """Judged candidates, one element a pair."""

    query: npt.NDArray[np.int64]
    probability: Floats
    relevant: Bools
    weight: Doubles
    """1 over the chance with which the pair was drawn, up to a factor: how many candidates it stands for."""


@dataclass(frozen=True)
class Candidates:
    """The candidates that a promise is about, on one side of the cutoffs."""

    side: Side
    cuts: Floats
    """Their probabilities at even steps, the most careful cutoff first."""
    crowds: Floats
    """For k = 1, 2, ...: the most careful cutoff beyond which every query has fewer than k of them."""


@dataclass(frozen=True)
class Promise:
    """A promise that holds: what was found in the sample beyond the cutoff."""

    side: Side
    cutoff: float
    most: float
    confidence: float
    queries: int
    pairs: int
    wrong: int
    share: float
    """The weighted share of wrong ones."""


def kept(sample: Sample, candidates: Candidates, most: float, confidence: float) -> Promise | None:
    """Return the last cutoff before the first at which at most `most` wrong ones can no longer be promised.

    None: it can be promised at no cutoff.
    """
    above = candidates.side == "above"
    wrong = (~sample.relevant if above else sample.relevant).astype(np.float64)
    beyond: Callable[[Any], Bools] = (
        (lambda cut: sample.probability > cut) if above else (lambda cut: sample.probability < cut)
    )
    _, query = np.unique(sample.query, return_inverse=True)
    heaviest, of_design = float(sample.weight.max()), int(np.bincount(query).max())
    single = of_design == 1 and bool((sample.weight == heaviest).all())
    error = (1 - confidence) / len(STARTS)  # each start has its part of it (Bonferroni)
    going, last = dict.fromkeys(STARTS), None
    for cut in candidates.cuts:
        chosen = beyond(cut)
        if not chosen.any():
            continue
        crowd = int((candidates.crowds > cut if above else candidates.crowds < cut).sum())
        largest = heaviest * min(crowd, of_design) * (1 - most)
        flawless = _sums(query[chosen], -most * sample.weight[chosen])
        enough = p_value(flawless, most, largest, single=single)
        begun = [start for start, fails in going.items() if fails is None and enough <= error**start]
        if not begun:
            continue
        losses = _sums(query[chosen], (sample.weight * (wrong - most))[chosen])
        if p_value(losses, most, largest, single=single) <= error:
            last = cut
        else:
            going |= dict.fromkeys(begun, cut)
    if last is None:
        return None
    chosen = beyond(last)
    weight = sample.weight[chosen]
    return Promise(
        candidates.side,
        float(last),
        most,
        confidence,
        queries=len(np.unique(query[chosen])),
        pairs=int(chosen.sum()),
        wrong=int(wrong[chosen].sum()),
        share=float((weight * wrong[chosen]).sum() / weight.sum()),
    )


def p_value(losses: Doubles, most: float, largest: float, *, single: bool) -> float:
    """Return how likely losses as small as these are where the promise is just broken, at most.

    losses: one a query, 0 where nothing was selected. single: each query has one pair, and all weigh the same.
    Then the number of wrong ones has a binomial distribution, which is exact; otherwise it is 1 over the e-value.
    """
    if not single:
        return min(1.0, 1 / e_value(losses, largest))
    pairs, wrong = int((losses != 0).sum()), int((losses > 0).sum())
    ways = [math.lgamma(pairs + 1) - math.lgamma(k + 1) - math.lgamma(pairs - k + 1) for k in range(wrong + 1)]
    logs = [way + k * math.log(most) + (pairs - k) * math.log1p(-most) for k, way in enumerate(ways)]
    return min(1.0, math.fsum(math.exp(value) for value in logs))


def e_value(losses: Doubles, largest: float) -> float:
    """Return what a bet against a mean loss above 0 wins. losses: one a query, none of which can exceed `largest`.

    The stakes are those of Cover's universal portfolio: no guess of the errors to come is needed.
    """
    stakes = (1 - np.cos(np.pi * (np.arange(STAKES) + 0.5) / STAKES)) / 2 / largest
    won = np.log1p(-stakes[:, None] * losses[None, :]).sum(axis=1)
    return float(np.exp(np.minimum(won, 700)).mean())


def _sums(query: npt.NDArray[np.int64], values: Doubles) -> Doubles:
    """Return the sum of the values of each query."""
    return np.bincount(query, values).astype(np.float64)
