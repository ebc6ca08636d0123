"""How far the scores of another back end agree with those of torch in float32, on a sample of a run's pairs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from curate.config import Denoise
from curate.counted import counted
from curate.errors import NotMet

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

PAIRS = 256
"""The pairs of a sample, drawn by hash."""


@dataclass(frozen=True)
class Agreement:
    """Two computations of the same scores beside each other."""

    backend: str
    """The back end and its number format, for a reader."""
    pairs: int
    """The pairs of the sample that have a score."""
    largest: float
    """The largest difference of a logit."""
    negative_below: float
    positive_above: float
    flips_below: int
    """The pairs on the other side of the lower cutoff, as the sigmoid of the logit."""
    flips_above: int
    """Those on the other side of the upper cutoff."""
    flips: int
    """Those on the other side of one cutoff or both."""

    @classmethod
    def of(cls, backend: str, logits: "Floats", precise: "Floats", settings: Denoise) -> "Agreement":
        """Return how far `logits` agree with the `precise` ones of the same pairs at the cutoffs of `settings`."""
        import numpy as np

        from curate.calibrate.forms import sigmoid

        known = ~np.isnan(precise)
        ours, theirs = (values[known].astype(np.float64) for values in (logits, precise))
        low, high = settings.negative_below, settings.positive_above
        below = (sigmoid(ours) < low) != (sigmoid(theirs) < low)
        above = (sigmoid(ours) > high) != (sigmoid(theirs) > high)
        return cls(
            backend=backend,
            pairs=len(ours),
            largest=float(np.abs(ours - theirs).max(initial=0.0)),
            negative_below=low,
            positive_above=high,
            flips_below=int(below.sum()),
            flips_above=int(above.sum()),
            flips=int((below | above).sum()),
        )

    @property
    def text(self) -> str:
        """What was found, for a terminal."""
        return (
            f"{self.backend} beside torch in float32, on {counted(self.pairs, 'pairs')} of the run: logits differ "
            f"by at most {self.largest:.2g}, and {counted(self.flips, 'decisions flip', 'decision flips')} "
            f"({self.flips_below:,} at {self.negative_below:g}, {self.flips_above:,} at {self.positive_above:g})"
        )

    def refuse_above(self, most: float) -> None:
        """Raise NotMet if a larger share of the sample than `most` flips."""
        if self.flips > most * self.pairs:
            raise NotMet(
                f"{self.text}. That is {self.flips / self.pairs:.1%}, and {most:.1%} may. Nothing was scored. "
                "Let torch compute the scores (--backend torch), compute more precisely (--dtype fp32), or allow "
                "more: --max-flips"
            )
