"""What a command would do: the answer of `--dry-run`."""

from dataclasses import dataclass, field

from curate.progress import duration


@dataclass(frozen=True)
class Plan:
    """The work of one command, without doing it."""

    stage: str
    unit: str
    """What is counted: passages, queries, pairs, rows, groups."""
    total: int
    cached: int
    """Of the total: done already, or answered from what is kept."""
    seconds: float | None = None
    """How long the rest takes, at the rate that was measured here; None where nothing was measured yet."""
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Return the plan for a terminal."""
        rest = self.total - self.cached
        time = (
            "unknown: nothing like it was measured here yet"
            if self.seconds is None
            else f"about {duration(self.seconds)}"
        )
        lines = [
            f"{self.stage}: {self.total:,} {self.unit}, {self.cached:,} of them done already, {rest:,} to do",
            f"time: {'none' if rest == 0 else time}",
            *self.notes,
            "Nothing was changed.",
        ]
        return "\n".join(lines)
