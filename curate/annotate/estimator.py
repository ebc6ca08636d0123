"""What the verdicts on a sample say about all candidates: shares with 95 % intervals, from the sample's design.

A share is a function of the means of strata. The mean of a stratum is that of its verdicts, corrected by the
scorer:

    mean relevant + control * (mean probability of the stratum - mean probability of its judged pairs)

With control 0 it is the plain mean; with 1 the scorer is believed, up to its mean error. The value between them
with the least variance is taken, as in PPI++ (Angelopoulos et al. 2023, arXiv 2311.01453), for strata as in Fisch
et al. 2024 (arXiv 2406.04291), except that one control serves all strata of a share: with a few labels each, their
own would be noise. The variance is that of residuals summed by query, because queries were drawn first (Taylor
linearisation; Särndal, Swensson and Wretman 1992, chapters 4 and 5).
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

LEVEL = 0.95
ADDED = 0.25
"""Labels of each kind that are added where labels agree: a tenth is too little (benchmarks/README.md)."""
LEAST_FREEDOM = 2
"""Degrees of freedom below which no interval is given: it would be nearly everything."""
LEAST_CONTROLLED = 10
"""Queries below which the scorer is not believed: the control would be fitted to noise."""
ROUNDING = 1e-9
"""How far a sum of fractions may lie outside of 0 to 1 and still be a share."""
MOST_UNSEEN = 0.01
"""The part of the candidates that may be in strata without a verdict; with more, nothing is estimated."""


@dataclass(frozen=True)
class Strata:
    """The population; one element a stratum."""

    kind: npt.NDArray[np.str_]
    """A stratum without a verdict is joined with one of its kind."""
    pairs: Doubles
    probability: Doubles
    """The mean probability of its pairs; 0 if they have none."""


@dataclass(frozen=True)
class Verdicts:
    """The judged pairs of a sample; one element a pair."""

    stratum: Ints
    query: Ints
    relevant: Doubles
    """0 or 1."""
    probability: Doubles
    """0 if the pair has none."""
    inclusion: Doubles
    """The chance with which it was drawn."""

    def of(self, chosen: Bools) -> "Verdicts":
        """Return the chosen pairs."""
        return Verdicts(*(column[chosen] for column in vars(self).values()))


@dataclass(frozen=True)
class Share:
    """An estimated share with its interval."""

    value: float
    low: float
    high: float
    error: float
    """The standard error."""
    labels: int
    queries: int
    control: float
    """How far the scorer is believed, from 0 to 1."""
    saved: float
    """How many more labels would give the same interval without the control."""
    worth: float
    """How many labels of pairs that are drawn singly and without strata would give the same interval."""


def estimated(
    strata: Strata, verdicts: Verdicts, drawn: float, of: Bools, part: Bools | None = None
) -> Share | None:
    """Return the share of the pairs in the strata `of` that is relevant.

    With `part`, return instead the share of the relevant pairs of these strata that is in `part` of them. drawn:
    the share of the queries that was drawn. None: there are too few verdicts or queries, or no relevant pair
    among them.
    """
    verdicts = verdicts.of(of[verdicts.stratum])
    strata, seen = _joined(strata, verdicts, of)
    queries, query = np.unique(verdicts.query, return_inverse=True)
    if len(queries) < 2 or seen < (1 - MOST_UNSEEN if part is None else 1):
        return None
    shape = _Shape(strata.pairs, part)
    labels = np.bincount(verdicts.stratum, minlength=len(of)).astype(np.float64)
    relevant, scored = (_means(verdicts, values, labels) for values in (verdicts.relevant, verdicts.probability))
    of_labels = shape.value(relevant)
    if of_labels is None:
        return None
    slopes = shape.slopes(relevant)
    # Residuals of n queries around their own mean have n - 1 degrees of freedom.
    several = _queries_of(verdicts.stratum, query, len(of))
    each = slopes / np.maximum(labels, 1) * np.sqrt(several / np.maximum(several - 1, 1))
    truth, scorer = (
        each[verdicts.stratum] * (values - means[verdicts.stratum])
        for values, means in ((verdicts.relevant, relevant), (verdicts.probability, scored))
    )

    def covariance(one: Doubles, other: Doubles) -> float:
        """Return the covariance of two estimates, given what each pair adds to them.

        Two pairs of a query are drawn together with the chance of the query, and a pair with its own.
        """
        of_queries = np.bincount(query, weights=one) * np.bincount(query, weights=other)
        alone = (drawn - verdicts.inclusion) * one * other
        return float((1 - drawn) * of_queries.sum() + alone.sum())

    spread = covariance(scorer, scorer)
    enough = spread > 0 and len(queries) >= LEAST_CONTROLLED
    control = min(max(covariance(truth, scorer) / spread, 0.0), 1.0) if enough else 0.0
    value = shape.value(relevant + control * (strata.probability - scored))
    if value is None:  # the scorer corrects too far: the labels alone give a share
        control, value = 0.0, of_labels
    rare = _of_rare_ones(verdicts, labels, relevant, slopes)
    plain, tuned = (
        max(covariance(rest, rest), _of_single_ones(verdicts, labels, several, rest)) + rare
        for rest in (truth, truth - control * scorer)
    )
    weights = np.bincount(query, weights=each[verdicts.stratum] ** 2)
    # The queries, as far as they weigh the same; their mean takes one degree, and the control another.
    alike = float(weights.sum() ** 2 / (weights**2).sum()) if weights.any() else 0.0
    freedom = round(alike, 9) - 1 - (control > 0)
    if tuned > 0 and freedom < LEAST_FREEDOM:
        return None
    count = len(verdicts.query)
    inner = shape.value(_with_added(relevant, labels)) or value
    low, high = _interval(value, inner, tuned, freedom, count)
    return Share(
        value=value,
        low=low * seen,
        high=high * seen + 1 - seen,
        error=math.sqrt(tuned),
        labels=count,
        queries=len(queries),
        control=control,
        saved=count * max(plain / tuned - 1, 0.0) if tuned > 0 else 0.0,
        worth=inner * (1 - inner) / tuned / shape.base(relevant) if tuned > 0 else float(count),
    )


@dataclass(frozen=True)
class _Shape:
    """A share as a function of the means of strata."""

    pairs: Doubles
    part: Bools | None

    def value(self, means: Doubles) -> float | None:
        """Return the share, or None if there is none: nothing is relevant, or it would not be from 0 to 1."""
        total = self.pairs.sum() if self.part is None else (self.pairs * means).sum()
        if total <= 0:
            return None
        counted = self.pairs if self.part is None else self.pairs * self.part
        share = float((counted * means).sum() / total)
        return min(max(share, 0.0), 1.0) if -ROUNDING <= share <= 1 + ROUNDING else None

    def base(self, means: Doubles) -> float:
        """Return the part of the pairs that the share is a share of: all, or the relevant ones."""
        return 1.0 if self.part is None else float((self.pairs * means).sum() / self.pairs.sum())

    def slopes(self, means: Doubles) -> Doubles:
        """Return how much the share rises with the mean of each stratum."""
        toward = 1 if self.part is None else self.part - (self.value(means) or 0.0)
        result: Doubles = self.pairs * toward / (self.pairs.sum() * self.base(means))
        return result


def _joined(strata: Strata, verdicts: Verdicts, of: Bools) -> tuple[Strata, float]:
    """Return the strata `of` that have verdicts, and the share of the pairs that is in them.

    A stratum without a verdict is joined with the nearest of its kind that has some.
    """
    judged = np.isin(np.arange(len(of)), verdicts.stratum)
    pairs, sums = np.where(of, [strata.pairs, strata.pairs * strata.probability], 0.0)
    whole = pairs.sum()
    for stratum in np.flatnonzero(of & ~judged):
        near = np.flatnonzero(judged & (strata.kind == strata.kind[stratum]))
        if len(near):
            host = near[np.abs(near - stratum).argmin()]
            pairs[host] += pairs[stratum]
            sums[host] += sums[stratum]
    pairs = np.where(judged, pairs, 0.0)
    means = np.divide(sums, pairs, out=np.zeros(len(of)), where=pairs > 0)
    return Strata(strata.kind, pairs, means), float(pairs.sum() / whole) if whole else 0.0


def _means(verdicts: Verdicts, values: Doubles, labels: Doubles) -> Doubles:
    """Return the mean of the values in each stratum; 0 where there are none."""
    sums = np.bincount(verdicts.stratum, weights=values, minlength=len(labels))
    result: Doubles = np.divide(sums, labels, out=np.zeros(len(labels)), where=labels > 0)
    return result


def _queries_of(stratum: Ints, query: Ints, strata: int) -> Doubles:
    """Return how many queries have a judged pair in each stratum."""
    both = np.unique(np.stack([stratum, query]), axis=1)
    return np.bincount(both[0], minlength=strata).astype(np.float64)


def _of_rare_ones(verdicts: Verdicts, labels: Doubles, relevant: Doubles, slopes: Doubles) -> float:
    """Return the variance that labels do not show where nearly all of a stratum agree.

    Ten labels that say the same do not prove that the next will. So a part of a label of each kind is added, as
    Jeffreys' prior does with one half, and what that adds to the variance of the stratum is returned.
    """
    added = _with_added(relevant, labels)
    shown = relevant * (1 - relevant) * labels / np.maximum(labels - 1, 1)
    hidden = np.maximum(added * (1 - added) - shown, 0)
    not_drawn = 1 - _means(verdicts, verdicts.inclusion, labels)
    return float((slopes**2 * hidden / np.maximum(labels, 1) * not_drawn)[labels > 0].sum())


def _of_single_ones(verdicts: Verdicts, labels: Doubles, several: Doubles, rest: Doubles) -> float:
    """Return the variance as if the pairs of each stratum were drawn singly.

    With few queries, residuals that happen to cancel out within them would leave a variance of nothing. `rest` has
    what each pair adds, with the factor for the number of its stratum's queries, which is taken out again.
    """
    factor = labels / np.maximum(labels - 1, 1) / (several / np.maximum(several - 1, 1)).clip(1)
    return float((factor[verdicts.stratum] * (1 - verdicts.inclusion) * rest**2).sum())


def _with_added(relevant: Doubles, labels: Doubles) -> Doubles:
    """Return the means with ADDED labels of each kind."""
    result: Doubles = (relevant * labels + ADDED) / (labels + 2 * ADDED)
    return result


def _interval(value: float, inner: float, variance: float, freedom: float, labels: int) -> tuple[float, float]:
    """Return Wilson's interval (1927) for as many labels as would have this variance if they were drawn singly.

    Its middle lies nearer to one half than the value does, so that a rare kind has an interval of the right form.
    As in Korn and Graubard 1998, the number of labels comes from the variance. inner: the value with ADDED labels
    of each kind, which is neither 0 nor 1.
    """
    if variance <= 0:  # every pair was judged
        return value, value
    times = _quantile(freedom, labels)
    worth = inner * (1 - inner) / variance
    middle = (value + times**2 / (2 * worth)) / (1 + times**2 / worth)
    half = times / (1 + times**2 / worth) * math.sqrt(value * (1 - value) / worth + times**2 / (4 * worth**2))
    return min(max(middle - half, 0.0), value), max(min(middle + half, 1.0), value)


def _quantile(freedom: float, labels: int) -> float:
    """Return how many standard errors the interval reaches to each side.

    Wilson's interval takes the normal quantile, because a share says by itself how single labels vary. How queries
    vary is estimated. For that the quantile grows as Student's t does from the degrees of freedom of so many
    single labels to those of the queries (Korn and Graubard 1998).
    """
    upper = (1 + LEVEL) / 2
    grows = student_t(upper, freedom) / student_t(upper, labels - 1)
    return NormalDist().inv_cdf(upper) * max(grows, 1.0)


def student_t(share: float, freedom: float) -> float:
    """Return the quantile of Student's t for a share above one half; the freedom need not be a whole number.

    With t = sqrt(n) * tan(angle), its density is that of cos(angle) ** (n - 1), which is smooth. The integral is
    Gauss and Legendre's, and the quantile is found by bisection.
    """
    nodes, weights = np.polynomial.legendre.leggauss(64)
    whole = math.exp(math.lgamma(freedom / 2) - math.lgamma((freedom + 1) / 2)) * math.sqrt(math.pi)
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        middle = (low + high) / 2
        angles = middle * (nodes + 1) / 2
        below = 0.5 + middle / 2 * float((weights * np.cos(angles) ** (freedom - 1)).sum()) / whole
        low, high = (middle, high) if below < share else (low, middle)
    return math.sqrt(freedom) * math.tan((low + high) / 2)
