"""The learning curve: the outcome of one step, and the log of a training so far."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """The outcome of one step, or of one process's part of it."""

    loss: float
    rows: int
    """The number of groups or rows in the whole batch."""
    pairs: int
    tokens: int
    """The number of tokens, without padding."""
    won: float
    """The number of groups or rows in which a positive ranks first."""


@dataclass
class Curve:
    """The log of a training so far, which a checkpoint keeps."""

    lines: list[dict[str, Any]] = field(default_factory=list)
    """The lines in the log file."""
    waiting: list[dict[str, float]] = field(default_factory=list)
    """The steps since the last line: loss, rows, won, pairs, tokens, seconds, and seconds of waiting for data."""
