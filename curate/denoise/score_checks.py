"""Checks of scores. Logits that are all equal are refused; cut texts and an implausible scale are told."""

from typing import TYPE_CHECKING, Any

from curate.errors import CurateError

if TYPE_CHECKING:
    import numpy as np

FEWEST_TO_COMPARE = 16  # fewer scores may be equal by chance, or because their texts are


def refuse_if_alike(scorer_id: str, logits: "np.ndarray[Any, Any]") -> None:
    """Raise CurateError if all logits of a shard are equal: the scorer then distinguishes nothing."""
    if len(logits) >= FEWEST_TO_COMPARE and float(logits.max() - logits.min()) < 1e-6:
        raise CurateError(
            f"{scorer_id} gives all {len(logits):,} pairs of a shard the same score ({logits[0]:.6g}): "
            "it does not distinguish any passages. Nothing of this shard was kept. Use another scorer."
        )


def truncation_warnings(cut: int, pairs: int, max_length: int | None) -> list[str]:
    """Return a warning if `cut` of the `pairs` that a job scored were too long for `max_length` tokens."""
    if not cut:
        return []
    return [
        f"{cut:,} of {pairs:,} pairs ({cut / pairs:.1%}) were scored without the end of a text: they have more "
        f"than {max_length} tokens. If the model can read more: --max-length"
    ]


def scale_warnings(
    pairs: int,
    lowest: float,
    highest: float,
    within_zero_and_one: int,
    saturated: int,
    positives: int,
    positives_below_half: int,
) -> list[str]:
    """Return warnings about a scorer's logits. The list is empty if they look like log-odds."""
    found = []
    if pairs >= FEWEST_TO_COMPARE and within_zero_and_one == pairs:
        found.append(
            f"all logits lie between {lowest:.3g} and {highest:.3g}: the model seems to return "
            "probabilities already; the sigmoid maps them to 0.50-0.73, so nothing falls below 0.1"
        )
    if pairs >= FEWEST_TO_COMPARE and saturated > pairs / 2:
        found.append(
            f"{saturated:,} of {pairs:,} logits lie beyond +-9 (probabilities below 0.0002 or above 0.9998), "
            "which is unusual for log-odds; see `curate report score_histogram` before you trust the cutoffs"
        )
    if positives >= FEWEST_TO_COMPARE and positives_below_half > positives / 2:
        found.append(
            f"{positives_below_half:,} of {positives:,} labelled positives have a probability below 0.5: the "
            "scorer does not suit this collection, or its logits are on another scale"
        )
    return found
