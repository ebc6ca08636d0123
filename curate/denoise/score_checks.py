"""Checks of scores: logits all equal, texts that were cut, or a scale on which the cutoffs mean nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from curate.errors import CurateError, StepMissing
from curate.suggest import curate_command
from curate.workspace import Workspace

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


@dataclass(frozen=True)
class Scale:
    """What the pairs that a scorer has scored show of its scale: the row of `sql/score/scale.sql`.

    Nothing is said of the scale of cutoffs that use a calibration.
    """

    negative_below: float
    positive_above: float
    pairs: int
    lowest: float | None
    highest: float | None
    within_zero_and_one: int
    saturated: int
    positives: int
    positives_below: int
    positives_above: int
    random: int
    random_not_below: int
    declared: str | None
    is_trained_here: bool
    is_calibrated: bool

    @classmethod
    def of(cls, workspace: Workspace, run_id: str, cutoffs: Mapping[str, Any]) -> "Scale":
        """Return the scale of the scorer of `cutoffs`, a row of the table, by its scores of a run."""
        cuts = {key: cutoffs[key] for key in ("negative_below", "positive_above")}
        about = {"scorer": cutoffs["scorer_id"], "run": run_id, "depth": cutoffs["depth"]}
        (found,) = workspace.select("score/scale", **about, **cuts).to_dicts()
        return cls(**cuts, **found, is_calibrated=cutoffs["calibration_id"] is not None)

    @property
    def faults(self) -> list[str]:
        """The reasons for which the cutoffs mean nothing for the sigmoid of the logits."""
        found = []
        if self.declared == "raw":
            found.append("its files say that its logits are raw")
        if self.pairs >= FEWEST_TO_COMPARE and self.within_zero_and_one == self.pairs:
            found.append(
                f"all logits lie between {self.lowest:.3g} and {self.highest:.3g}: it seems to return "
                "probabilities already, which the sigmoid maps to 0.50-0.73"
            )
        if self.random >= FEWEST_TO_COMPARE and self.random_not_below > self.random / 2:
            found.append(
                f"{self.random_not_below:,} of {self.random:,} random passages have a probability of "
                f"{self.negative_below:.6g} or more"
            )
        if self.positives >= FEWEST_TO_COMPARE and self.positives_below > self.positives / 2:
            found.append(
                f"{self.positives_below:,} of {self.positives:,} labelled positives have a probability below "
                f"{self.negative_below:.6g}"
            )
        return found

    @property
    def warnings(self) -> list[str]:
        """What makes the cutoffs doubtful although they are not refused."""
        if self.is_calibrated:
            return []
        found = self.faults if self.is_trained_here else []
        if self.pairs >= FEWEST_TO_COMPARE and self.saturated > self.pairs / 2:
            found.append(
                f"{self.saturated:,} of {self.pairs:,} logits lie beyond +-9 (probabilities below 0.0002 or above "
                "0.9998), which is unusual for log-odds; see `curate report score_histogram` before you trust the "
                "cutoffs"
            )
        if self.is_trained_here and self.positives >= FEWEST_TO_COMPARE and not self.positives_above:
            found.append(
                f"none of {self.positives:,} labelled positives that it was not trained on has a probability "
                f"above {self.positive_above:.6g}, so hardly anything will count as a false negative: "
                "curate calibrate"
            )
        return found


def refuse_no_scale(scale: Scale, scorer_id: str, run_id: str) -> None:
    """Raise StepMissing if the cutoffs mean nothing on the scale of a scorer that nobody calibrated.

    The logits of a scorer that was trained here are log-odds by its loss: what speaks against that is a warning.
    """
    faults = scale.faults
    if faults and not scale.is_trained_here:
        declare = curate_command("calibrate", "--scorer", scorer_id, "--scale", "log-odds")
        raise StepMissing(
            f"cutoffs at {scale.negative_below:.6g} and {scale.positive_above:.6g} mean nothing for {scorer_id}: "
            f"{'; '.join(faults)}. Its scores are kept. Learn what they mean, then set the cutoffs again; nothing "
            f"is scored again. If you know that its logits are log-odds: {declare}",
            run=curate_command("calibrate", "--scorer", scorer_id, "--run", run_id),
        )
