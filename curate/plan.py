"""The answer of `--dry-run`: what a command would do."""

from dataclasses import dataclass, field

from curate.counted import counted
from curate.progress import duration


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
            *self.notes,
            "Nothing was changed.",
        ]
        return "\n".join(lines)
