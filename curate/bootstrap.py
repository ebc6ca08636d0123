"""Percentile bootstrap intervals for means over queries."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

DRAWS = 2_000
BLOCK = 4_000_000  # numbers held in memory at a time


@dataclass(frozen=True)
class Interval:
    """A mean over queries with its interval, which holds 95 % unless said otherwise."""

    mean: float
    low: float
    high: float


def interval(values: npt.NDArray[Any], seed: int, percent: float = 95) -> Interval:
    """Return the mean of `values`, one value per query, and its percentile bootstrap interval of `percent`.

    The draw depends only on the seed and on the number of queries. For a paired bootstrap of two runs over the
    same queries, pass the differences of their values. The same seed gives the same interval.
    """
    drawn = np.random.default_rng(seed)
    at_once = max(1, BLOCK // len(values))
    means = [
        values[drawn.integers(len(values), size=(min(at_once, DRAWS - done), len(values)))].mean(axis=1)
        for done in range(0, DRAWS, at_once)
    ]
    low, high = np.percentile(np.concatenate(means), [50 - percent / 2, 50 + percent / 2])
    return Interval(float(values.mean()), float(low), float(high))
