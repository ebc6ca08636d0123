"""The forms of a calibration and their fit: Platt's sigmoid(a x + c), and the beta form with a and b apart.

The beta form is sigmoid(a ln s(x) - b ln s(-x) + c) with s the sigmoid (Kull et al. 2017). As
ln s(x) - ln s(-x) = x, Platt's is the beta form with a = b. Sums are numpy's own, so that the number of threads
changes no bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Form = Literal["platt", "beta"]
# It keeps the slope of separable data finite. On standardised columns it does not show with 100 pairs.
RIDGE = 0.01
BINS = 4096
STEPS = 2000
TOLERANCE = 1e-10


@dataclass(frozen=True)
class Curve:
    """A fitted calibration."""

    a: float
    b: float
    c: float

    def exponent(self, logits: Doubles) -> Doubles:
        """Return the log-odds that the logits stand for."""
        spread = np.logaddexp(0, -logits)
        result: Doubles = self.b * logits + (self.b - self.a) * spread + self.c
        return result

    def probability(self, logits: Doubles) -> Doubles:
        """Return P(relevant) as sql/macros/probability.sql does, in double precision."""
        return sigmoid(self.exponent(logits))


OWN = Curve(1.0, 1.0, 0.0)
"""Logits that are log-odds."""


@dataclass(frozen=True)
class Evidence:
    """Pairs to fit a curve to, one element a pair."""

    logits: Doubles
    relevant: Doubles
    """1 or 0, or NaN for a candidate that nobody judged."""
    weights: Doubles
    oversampled: Doubles
    """Log of the factor by which relevant pairs are more frequent here than among the candidates."""

    def part(self, chosen: npt.NDArray[np.bool_]) -> "Evidence":
        """Return the chosen pairs."""
        return Evidence(*(column[chosen] for column in vars(self).values()))


def fit(evidence: Evidence, form: Form) -> Curve:
    """Return the most likely curve that rises with the logit.

    Where a = 0 or b = 0 is the best of the beta form, it is that. A slope of 0 says that logits tell nothing.
    """
    x = evidence.logits
    low, high = -np.logaddexp(0, -x), np.logaddexp(0, x)  # ln s(x) and -ln s(-x): both rise
    if form == "platt":
        slope, c = _newton(evidence, [x])
        return Curve(max(slope, 0.0), max(slope, 0.0), c)
    a, b, c = _newton(evidence, [low, high])
    if a < 0:
        b, c = _newton(evidence, [high])
        a = 0.0
    elif b < 0:
        a, c = _newton(evidence, [low])
        b = 0.0
    return Curve(max(a, 0.0), max(b, 0.0), c)


def compressed(evidence: Evidence) -> Evidence:
    """Return the evidence with close logits of one kind replaced by their mean: at most BINS rows of each kind."""
    kinds = np.unique(np.stack([np.nan_to_num(evidence.relevant, nan=2.0), evidence.oversampled]), axis=1)
    parts = []
    for relevant, oversampled in kinds.T.tolist():
        of_kind = (np.nan_to_num(evidence.relevant, nan=2.0) == relevant) & (evidence.oversampled == oversampled)
        rows = evidence.part(of_kind)
        if len(rows.logits) <= BINS:
            parts.append(rows)
            continue
        order = np.argsort(rows.logits, kind="stable")
        starts = np.linspace(0, len(order), BINS, endpoint=False).astype(np.int64)
        weights = np.add.reduceat(rows.weights[order], starts)
        logits = np.add.reduceat((rows.weights * rows.logits)[order], starts) / weights
        parts.append(Evidence(logits, rows.relevant[: len(starts)], weights, rows.oversampled[: len(starts)]))
    return Evidence(*(np.concatenate(columns) for columns in zip(*(vars(p).values() for p in parts), strict=True)))


def losses(evidence: Evidence, exponent: Doubles) -> Doubles:
    """Return the negative log-likelihood of each pair, for the log-odds that a curve gives them.

    A candidate that nobody judged counts as one of the sample without the relevant pairs that were added to it
    (Ward et al. 2009): its likelihood is that of not being one of those.
    """
    sampled = exponent + evidence.oversampled
    known = np.where(evidence.relevant == 1, np.logaddexp(0, -sampled), np.logaddexp(0, sampled))
    return np.where(np.isnan(evidence.relevant), np.logaddexp(0, sampled) - np.logaddexp(0, exponent), known)


def sigmoid(values: Doubles) -> Doubles:
    """Return 1 / (1 + exp(-values)) without overflow."""
    result: Doubles = np.exp(-np.logaddexp(0, -values))
    return result


def _newton(evidence: Evidence, columns: Sequence[Doubles]) -> list[float]:
    """Return the slope of each column and the intercept.

    Each step is Newton's for the relevance expected now of candidates that nobody judged. This is the gradient
    form of the EM algorithm (Lange 1995); without such candidates it is Newton's method for logistic regression.
    """
    weights = evidence.weights
    total = weights.sum()
    means = [float((weights * column).sum() / total) for column in columns]
    spreads = [
        float(np.sqrt((weights * (column - mean) ** 2).sum() / total)) or 1.0
        for column, mean in zip(columns, means, strict=True)
    ]
    rows = [(column - mean) / spread for column, mean, spread in zip(columns, means, spreads, strict=True)]
    rows.append(np.ones_like(evidence.logits))
    ridge = np.asarray([RIDGE] * len(columns) + [0.0])
    at = np.zeros(len(rows))

    def cost(of: Doubles) -> float:
        exponent = sum((value * row for value, row in zip(of, rows, strict=True)), start=np.zeros(len(weights)))
        return float((weights * losses(evidence, exponent)).sum() + (ridge * of**2).sum() / 2)

    value = cost(at)
    for _ in range(STEPS):
        step = _step(evidence, rows, at, ridge)
        while (new := cost(at + step)) > value and np.abs(step).max() > TOLERANCE:
            step = step / 2
        if new > value:
            break
        at, value = at + step, new
        if np.abs(step).max() < TOLERANCE:
            break
    slopes = [float(slope / spread) for slope, spread in zip(at, spreads, strict=False)]
    return [*slopes, float(at[-1]) - sum(slope * mean for slope, mean in zip(slopes, means, strict=True))]


def _step(evidence: Evidence, rows: Sequence[Doubles], at: Doubles, ridge: Doubles) -> Any:
    exponent = sum(
        (value * row for value, row in zip(at, rows, strict=True)), start=np.zeros(len(evidence.logits))
    )
    sampled = sigmoid(exponent + evidence.oversampled)
    target = np.where(np.isnan(evidence.relevant), sigmoid(exponent), evidence.relevant)
    gradient = np.asarray([(evidence.weights * (sampled - target) * row).sum() for row in rows]) + ridge * at
    curvature = evidence.weights * sampled * (1 - sampled)
    hessian = np.asarray([[(curvature * one * other).sum() for other in rows] for one in rows])
    return -np.linalg.solve(hessian + np.diag(ridge + 1e-9), gradient)
