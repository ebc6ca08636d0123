"""How far the scores of another back end agree with those of torch in float32, on a sample of a run's pairs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from curate.config import Denoise
from curate.counted import counted
from curate.errors import NotMet
from curate.models.openvino_model import INT8

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from curate.calibrate.forms import Curve

    Floats = npt.NDArray[np.float32]

SAMPLE_PAIRS = 256
"""The candidates of a sample, drawn by hash."""


@dataclass(frozen=True)
class Agreement:
    """How far two computations of the same scores differ."""

    backend: str
    """The back end and its number format, for a reader."""
    pairs: int
    """The pairs of the sample that have a score."""
    largest: float
    """The largest difference of a logit."""
    negative_below: float
    positive_above: float
    flips_below: int
    """The pairs whose probability lies on the other side of the lower cutoff."""
    flips_above: int
    """Those on the other side of the upper cutoff."""
    flips: int
    """Those on the other side of one cutoff or both."""
    calibration: str | None = None
    """The calibration that makes logits probabilities; None: their sigmoid does."""

    @classmethod
    def of(
        cls,
        backend: str,
        logits: "Floats",
        precise: "Floats",
        settings: Denoise,
        calibration: str | None = None,
        curve: "Curve | None" = None,
    ) -> "Agreement":
        """Return how far `logits` agree with the `precise` ones of the same pairs at the cutoffs of `settings`.

        curve: that of the calibration; by default the sigmoid.
        """
        import numpy as np

        from curate.calibrate.forms import OWN

        known = ~np.isnan(precise)
        ours, theirs = (values[known].astype(np.float64) for values in (logits, precise))
        probability = (curve or OWN).probability
        low, high = settings.negative_below, settings.positive_above
        below = (probability(ours) < low) != (probability(theirs) < low)
        above = (probability(ours) > high) != (probability(theirs) > high)
        return cls(
            backend=backend,
            pairs=len(ours),
            largest=float(np.abs(ours - theirs).max(initial=0.0)),
            negative_below=low,
            positive_above=high,
            flips_below=int(below.sum()),
            flips_above=int(above.sum()),
            flips=int((below | above).sum()),
            calibration=calibration,
        )

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> "Agreement":
        """Return the agreement in a job's record. Facts that this version does not know are left out."""
        return cls(**{field.name: facts[field.name] for field in fields(cls) if field.name in facts})

    def is_at(self, settings: Denoise, calibration: str | None) -> bool:
        """Return whether it counts the flips at the cutoffs of `settings`, with this calibration."""
        return calibration == self.calibration and all(
            math.isclose(ours, asked, rel_tol=1e-6)  # the cutoffs of a row are rounded to 32 bits
            for ours, asked in (
                (self.negative_below, settings.negative_below),
                (self.positive_above, settings.positive_above),
            )
        )

    @property
    def text(self) -> str:
        """What was found, for a terminal."""
        scale = f", calibrated by {self.calibration}" if self.calibration else ""
        return (
            f"{self.backend} beside torch in float32, on {counted(self.pairs, 'pairs')} of the run{scale}: logits "
            f"differ by at most {self.largest:.2g}, and {counted(self.flips, 'decisions flip', 'decision flips')} "
            f"({self.flips_below:,} at {self.negative_below:g}, {self.flips_above:,} at {self.positive_above:g})"
        )

    def refuse_above(self, most: float) -> None:
        """Raise NotMet if a larger share of the sample than `most` flips."""
        or_openvino = "or OpenVINO without int8 (--backend openvino), " if self.backend.startswith(INT8) else ""
        if self.flips > most * self.pairs:
            raise NotMet(
                f"{self.text}. That is {self.flips / self.pairs:.1%}, and {most:.1%} may. Nothing more is scored. "
                'Let torch compute the scores (--backend torch, or backend = "torch" under [denoise] in '
                f"curate.toml), {or_openvino}compute more precisely (--dtype fp32), or allow more (--max-flips, "
                "or max_flips there)"
            )


def agreement_lines(found: Mapping[str, Agreement]) -> list[str]:
    """Return lines for a terminal from scorer -> its agreement. Several scorers are named."""
    return [f"{f'{scorer}: ' if len(found) > 1 else ''}{one.text}." for scorer, one in found.items()]
