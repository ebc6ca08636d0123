"""Reliability: whether pairs with a probability of 0.7 are relevant in 7 of 10 cases."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from curate.calibrate.forms import Doubles, Evidence, sigmoid
from curate.calibrate.pairs import Bools, Pairs

BINS = 10
LEAST = 10  # pairs of a retriever or a length; fewer show chance


def rows(pairs: Pairs, evidence: Evidence, prior: float, after: Doubles) -> Iterator[dict[str, Any]]:
    """Yield the rows of the table `reliability`, for the logits as they are and for the log-odds `after`."""
    exponents = {False: evidence.logits, True: after}
    for part, values in (("all", None), ("retriever", pairs.retriever), ("length", pairs.length)):
        for value in [None] if values is None else np.unique(values).tolist():
            chosen = np.ones(len(pairs.logit), bool) if values is None else values == value
            if chosen.sum() >= LEAST:
                for calibrated, exponent in exponents.items():
                    for row in _bins(pairs, evidence, prior, sigmoid(exponent), chosen):
                        yield {"part": part, "part_value": value or "all", "calibrated": calibrated, **row}


def calibration_error(found: list[dict[str, Any]]) -> float:
    """Return the expected calibration error: the mean distance of probability and truth, over the pairs."""
    pairs = sum(row["pairs"] for row in found)
    return float(sum(row["pairs"] * abs(row["probability"] - row["relevant"]) for row in found) / pairs)


def _bins(
    pairs: Pairs, evidence: Evidence, prior: float, probability: Doubles, chosen: Bools
) -> Iterator[dict[str, Any]]:
    """Yield a row for each tenth of [0, 1] that has pairs.

    If people judged pairs, the share of relevant ones is counted. Otherwise it follows from labelled positives:
    they stand for the `prior` share of the unlabelled candidates, each for equally many.
    """
    place = np.minimum((probability * BINS).astype(np.int64), BINS - 1)
    annotated = pairs.of("relevant", "irrelevant")
    unlabelled, labelled = pairs.of("unlabelled"), pairs.of("labelled")
    counted = annotated if annotated.any() else unlabelled
    stands_for = prior * unlabelled.sum() / max(labelled.sum(), 1)
    for number in range(BINS):
        here = chosen & (place == number)
        weight = evidence.weights[here & counted].sum()
        if weight <= 0:
            continue
        if annotated.any():
            relevant = (evidence.weights * (pairs.kind == "relevant"))[here].sum() / weight
        else:
            relevant = min(1.0, stands_for * (here & labelled).sum() / weight)
        mean = (evidence.weights * probability)[here & counted].sum() / weight
        yield {"bin": number, "pairs": float(weight), "probability": float(mean), "relevant": float(relevant)}
