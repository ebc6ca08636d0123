"""The learning curve: what one step did, and what a training has logged so far."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """What one step did, over all processes."""

    loss: float
    rows: int
    """Groups or rows of the batch: what the epochs count."""
    pairs: int
    tokens: int
    """Without padding."""
    won: float
    """Rows whose positive stands first."""


@dataclass
class Curve:
    """What a training has logged so far: a checkpoint keeps it."""

    lines: list[dict[str, Any]] = field(default_factory=list)
    """What stands in the file."""
    waiting: list[dict[str, float]] = field(default_factory=list)
    """Steps since: loss, rows, rows won, pairs, tokens, seconds, of these waiting for data."""
