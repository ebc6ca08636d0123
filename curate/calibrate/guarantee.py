"""Cutoffs that keep a promise, by fixed-sequence testing (Learn then Test, Angelopoulos et al. 2021).

A promise is about a share: of the candidates that a cutoff selects, at most `most` are wrong. The query is the
unit, because verdicts on the passages of one query may depend on each other in any way. So the judged pairs are
dealt into layers by chance, of which each has at most one pair of a query; a pair is in one layer. In a layer,
pairs are independent: if the promise is broken, the number of wrong ones among the selected is at least
binomial. The p-value is that of the layers together: twice their mean, which holds for any dependence (Vovk and
Wang 2020).

If pairs count differently, because they were drawn with different chances, a layer gives an e-value instead:
what a bet against a broken promise wins, the mean over stakes of the product of 1 - stake * loss, where the loss
of a pair is its weight times (1 if wrong else 0) - most. Its expectation is at most 1 if the promise is broken,
also for the mean over layers, and 1 over it is a p-value (Waudby-Smith and Ramdas 2024).

Cutoffs are tested in a fixed order, the most careful first, until one fails. There are three places to start,
with a third of the error each. Order and starts depend on scores and on which pairs were judged, never on a
verdict.
"""

import math
from dataclasses import dataclass
from functools import cache
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
    """1 over the chance with which the pair was drawn, up to a factor: how many candidates it stands for."""


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
    wrong = ~sample.relevant if above else sample.relevant
    beyond: Callable[[Any], Bools] = (
        (lambda cut: sample.probability > cut) if above else (lambda cut: sample.probability < cut)
    )
    layers, heaviest = _layers(sample.query), float(sample.weight.max())
    weights = None if bool((sample.weight == heaviest).all()) else sample.weight
    error = (1 - confidence) / len(STARTS)  # each start has its part of it (Bonferroni)
    going, last = dict.fromkeys(STARTS), None
    for cut in candidates.cuts:
        chosen = beyond(cut)
        enough = p_value(layers, chosen, np.zeros_like(chosen), most, weights)
        begun = [start for start, fails in going.items() if fails is None and enough <= error**start]
        if not begun:
            continue
        if p_value(layers, chosen, wrong, most, weights) <= error:
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
        queries=len(np.unique(sample.query[chosen])),
        pairs=int(chosen.sum()),
        wrong=int(wrong[chosen].sum()),
        share=float((weight * wrong[chosen]).sum() / weight.sum()),
    )


def p_value(layers: Ints, chosen: Bools, wrong: Bools, most: float, weights: Doubles | None) -> float:
    """Return at most how likely so few wrong ones among the chosen pairs are if the promise is broken.

    layers: the layer of each pair, from 0. weights: None if all pairs count the same.
    """
    every = range(int(layers.max()) + 1)
    if weights is not None:
        largest = float(weights.max()) * (1 - most)
        losses = weights * (wrong - most)
        won = [e_value(losses[chosen & (layers == layer)], largest) for layer in every]
        return min(1.0, len(won) / math.fsum(won))
    pairs = np.bincount(layers[chosen], minlength=len(every)).tolist()
    found = np.bincount(layers[chosen & wrong], minlength=len(every)).tolist()
    each = [binomial(wrong_here, here, most) for wrong_here, here in zip(found, pairs, strict=True)]
    return each[0] if len(each) == 1 else min(1.0, 2 * math.fsum(each) / len(each))


@cache
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


def _layers(query: Ints) -> Ints:
    """Return the layer of each pair: pairs of one query are in different layers, by chance."""
    _, number = np.unique(query, return_inverse=True)
    counts = np.bincount(number)
    random = np.random.default_rng(0)
    found = np.empty(len(query), np.int64)
    order = np.argsort(number, kind="stable")
    for pairs in np.split(order, np.cumsum(counts)[:-1]):
        found[pairs] = random.permutation(int(counts.max()))[: len(pairs)]
    return found
