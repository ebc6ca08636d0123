"""Cutoffs that keep a promise, by fixed-sequence testing (Learn then Test, Angelopoulos et al. 2021).

A promise is about a share: of the candidates that a cutoff selects, at most `most` are wrong. The query is the
unit, because verdicts on the passages of one query may depend on each other in any way: one judged pair of each
query, drawn by chance, is used. These pairs are independent. If the promise is broken, the number of wrong ones
among the selected is at least binomial, which gives the p-value.

If pairs count differently, because they were drawn with different chances, an e-value takes its place: what a
bet against a broken promise wins, the mean over stakes of the product of 1 - stake * loss, where the loss of a
pair is its weight times (1 if wrong else 0) - most. Its expectation is at most 1 if the promise is broken, so
that 1 over it is a p-value (Waudby-Smith and Ramdas 2024).

Cutoffs are tested in a fixed order, the most careful first, until one fails. There are three places to start,
with a third of the error each. Order and starts depend on scores and on which pairs were judged, never on a
verdict.
"""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from curate.calibrate.forms import Doubles

if TYPE_CHECKING:
    from collections.abc import Callable

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Side = Literal["above", "below"]
STAKES = 64
# A sequence starts where a flawless sample would do by this power of the error, so that it can bear some errors.
STARTS = (1.5, 3.0, 6.0)


@dataclass(frozen=True)
class Sample:
    """Judged candidates, one element a pair."""

    query: Ints
    probability: Floats
    relevant: Bools
    weight: Doubles
    """How many candidates it stands for, up to a factor: 1 over the chance with which the pair was drawn."""


@dataclass(frozen=True)
class Candidates:
    """The candidates that a promise is about, on one side of the cutoffs."""

    side: Side
    cuts: Floats
    """Their probabilities at even steps, the most careful cutoff first."""


@dataclass(frozen=True)
class Promise:
    """A promise that holds: what was found in the sample beyond the cutoff."""

    side: Side
    cutoff: float
    most: float
    confidence: float
    pairs: int
    """Judged pairs beyond the cutoff, each of another query."""
    wrong: int
    share: float
    """The weighted share of wrong ones."""


def kept(sample: Sample, candidates: Candidates, most: float, confidence: float) -> Promise | None:
    """Return the last cutoff before the first at which at most `most` wrong ones can no longer be promised.

    sample: one pair of each query. None: it can be promised at no cutoff.
    """
    above = candidates.side == "above"
    wrong = ~sample.relevant if above else sample.relevant
    beyond: Callable[[Any], Bools] = (
        (lambda cut: sample.probability > cut) if above else (lambda cut: sample.probability < cut)
    )
    weights = None if len(np.unique(sample.weight)) == 1 else sample.weight
    error = (1 - confidence) / len(STARTS)  # each start has its part of it (Bonferroni)
    going, last = dict.fromkeys(STARTS), None
    for cut in candidates.cuts:
        chosen = beyond(cut)
        enough = p_value(chosen, np.zeros_like(chosen), most, weights)
        begun = [start for start, fails in going.items() if fails is None and enough <= error**start]
        if not begun:
            continue
        if p_value(chosen, wrong, most, weights) <= error:
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
        pairs=int(chosen.sum()),
        wrong=int(wrong[chosen].sum()),
        share=float((weight * wrong[chosen]).sum() / weight.sum()),
    )


def p_value(chosen: Bools, wrong: Bools, most: float, weights: Doubles | None) -> float:
    """Return at most how likely so few wrong ones among the chosen pairs are if the promise is broken.

    weights: None if all pairs count the same.
    """
    if weights is None:
        return binomial(int((chosen & wrong).sum()), int(chosen.sum()), most)
    losses = (weights * (wrong - most))[chosen]
    return min(1.0, 1 / e_value(losses, float(weights.max()) * (1 - most)))


def binomial(wrong: int, pairs: int, most: float) -> float:
    """Return the chance of at most `wrong` wrong ones among independent pairs, each with the chance `most`."""
    ways = [math.lgamma(pairs + 1) - math.lgamma(k + 1) - math.lgamma(pairs - k + 1) for k in range(wrong + 1)]
    logs = [way + k * math.log(most) + (pairs - k) * math.log1p(-most) for k, way in enumerate(ways)]
    return min(1.0, math.fsum(math.exp(value) for value in logs))


def e_value(losses: Doubles, largest: float) -> float:
    """Return what a bet against a mean loss above 0 wins. losses: one a pair, none of which can exceed `largest`.

    The stakes are those of Cover's universal portfolio: no guess of the errors to come is needed.
    """
    stakes = (1 - np.cos(np.pi * (np.arange(STAKES) + 0.5) / STAKES)) / 2 / largest
    won = np.log1p(-stakes[:, None] * losses[None, :]).sum(axis=1)
    return float(np.exp(np.minimum(won, 700)).mean())


def one_of_each_query(sample: Sample, seed: int) -> Sample:
    """Return one pair of each query, drawn by chance.

    Where pairs were drawn for judging with different chances, one that stands for more candidates is taken more
    often, and then counts for all candidates that the judged pairs of its query stand for. Taken alike, a pair
    that was drawn rarely would count for too little in a query of which many pairs were judged.
    """
    chance = np.random.default_rng(seed).exponential(size=len(sample.query)) / sample.weight
    order = np.argsort(chance, kind="stable")
    _, first, place = np.unique(sample.query[order], return_index=True, return_inverse=True)
    one = Sample(*(column[order[first]] for column in vars(sample).values()))
    if len(np.unique(sample.weight)) == 1:
        return one
    return replace(one, weight=np.bincount(place, weights=sample.weight[order]).astype(np.float64))
