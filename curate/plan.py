"""The answer of `--dry-run`: what a command would do."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from curate.counted import counted
from curate.progress import duration


@dataclass(frozen=True)
class Pace:
    """How fast work goes on this machine."""

    per_second: float
    """Units of work per second."""
    tokens: float | None
    """The tokens of one unit, on average; None if they are not known."""


def tokens_of(work: Iterable[tuple[int, Pace]]) -> int | None:
    """Return the tokens of so many units at each pace, or None if one of them is not known."""
    counts = [(units, pace.tokens) for units, pace in work]
    known = [units * tokens for units, tokens in counts if tokens is not None]
    return round(sum(known)) if known and len(known) == len(counts) else None


@dataclass(frozen=True)
class Plan:
    """The work that one command would do."""

    stage: str
    unit: str
    """The unit of `total` and `cached`, such as passages, queries, pairs, rows or groups."""
    total: int
    cached: int
    """The part of the total that is already done or cached."""
    seconds: float | None = None
    """Estimated time for the rest, at the rate measured in this workspace. None if no rate is known."""
    notes: list[str] = field(default_factory=list)
    tokens: int | None = None
    """Estimated tokens of the rest, without padding. None if they are not known, or if no model reads them."""

    def text(self) -> str:
        """Return the plan for a terminal."""
        rest = self.total - self.cached
        time = (
            "unknown: no comparable work was measured here yet"
            if self.seconds is None
            else f"about {duration(self.seconds)}"
        )
        lines = [
            f"{self.stage}: {counted(self.total, self.unit)}, "
            f"{self.cached:,} of them already done, {rest:,} to do",
            f"time: {'none' if rest == 0 else time}",
            *([f"tokens: about {self.tokens:,}"] if rest and self.tokens else []),
            *self.notes,
            "Nothing was changed.",
        ]
        return "\n".join(lines)
