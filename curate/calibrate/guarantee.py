"""Cutoffs that keep a promise, by fixed-sequence testing (Learn then Test, Angelopoulos et al. 2021).

A promise is about a share: of the candidates that a cutoff selects, at most `most` are wrong. The query is the
unit, because verdicts on the passages of one query depend on each other. A query's loss at a cutoff is the sum
over its selected pairs of (1 if wrong else 0) - most. The promise is broken if the mean loss over queries is
above 0.

The evidence against that is an e-value: what a bet against it wins, as the mean over stakes of the product over
queries of 1 - stake * loss. If the promise is broken, its expectation is at most 1, so it exceeds
1 / (1 - confidence) with a chance of at most 1 - confidence (Markov's inequality; Waudby-Smith and Ramdas 2024).
That holds for queries that are drawn by chance, with or without replacement, and for any distribution. The order
of the queries does not matter.

The cutoffs are tested in a fixed order, the most careful first, until one fails. The order and its start depend on
scores and on which pairs were judged, never on a verdict.
"""

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
    wins, found, started = 1 / (1 - confidence), None, False
    for cut in candidates.cuts:
        chosen = beyond(cut)
        crowd = int((candidates.crowds > cut if above else candidates.crowds < cut).sum())
        largest = heaviest * min(crowd, of_design) * (1 - most)
        if not chosen.any():
            continue
        losses = _sums(query[chosen], (sample.weight * (wrong - most))[chosen])
        if not started:  # until a sample without errors would win by far, so that some errors can be borne
            flawless = _sums(query[chosen], -most * sample.weight[chosen])
            started = e_value(flawless, largest) >= wins**1.5
        if not started:
            continue
        if e_value(losses, largest) < wins:
            break
        weight = sample.weight[chosen]
        share = float((weight * wrong[chosen]).sum() / weight.sum())
        counts = {"queries": len(np.unique(query[chosen])), "pairs": int(chosen.sum())}
        found = Promise(
            candidates.side, float(cut), most, confidence, **counts, wrong=int(wrong[chosen].sum()), share=share
        )
    return found


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
