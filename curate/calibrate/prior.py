"""The share of relevant passages among candidates that nobody judged, from the scores of labelled positives."""

import math

import numpy as np

from curate.calibrate.forms import Doubles

DOUBT = 0.1  # the chance that a slack below is too small
GAMMA = 0.01
LEAST, MOST = 0.001, 0.999


def share_of_relevant(positives: Doubles, candidates: Doubles) -> float:
    """Return the largest share of relevant candidates that the scores allow, by best bin estimation.

    Above any score, the candidates hold at least the relevant ones: their share above it, divided by that of the
    labelled positives, is an upper bound. The lowest bound is taken, where the slack for the size of both samples
    is added before they are compared (Garg et al. 2021). It is the share itself if candidates with the highest
    scores are all relevant, and if labelled positives are a random sample of the relevant candidates.
    """
    cuts = np.unique(positives)
    above = {name: _share_above(values, cuts) for name, values in (("p", positives), ("u", candidates))}
    slack = sum(math.sqrt(math.log(4 / DOUBT) / (2 * len(values))) for values in (positives, candidates))
    best = int(np.argmin((above["u"] + (1 + GAMMA) * slack) / above["p"]))
    return float(np.clip(above["u"][best] / above["p"][best], LEAST, MOST))


def _share_above(values: Doubles, cuts: Doubles) -> Doubles:
    """Return the share of values that are at least as high as each cut."""
    result: Doubles = 1 - np.searchsorted(np.sort(values), cuts, side="left") / len(values)
    return result
