"""The log of a training: one JSON line per ten steps, and now and then a line for people."""

import json
import resource
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.progress import Progress, duration

if TYPE_CHECKING:
    from .loop import Outcome

STEPS_A_LINE = 10
SAID = 20
"""Lines for people, over the whole training."""


@dataclass
class Curve:
    """What a training has logged so far: a checkpoint keeps it."""

    lines: list[dict[str, Any]] = field(default_factory=list)
    """What stands in the file."""
    waiting: list[list[float]] = field(default_factory=list)
    """Steps since: loss, groups, groups won, pairs, seconds."""


class Log:
    """Writes the curve as the steps report."""

    def __init__(self, path: Path, steps: int, curve: Curve, progress: Progress) -> None:
        """Continue the log at `path` after what `curve` holds."""
        self.path, self.steps, self.curve, self.progress = path, steps, curve, progress
        self.now = time.monotonic()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(line) + "\n" for line in curve.lines), "utf-8")

    def add(self, step: int, outcome: "Outcome", learning_rate: float) -> None:
        """Take one step's outcome; every tenth, and the last, writes a line."""
        before, self.now, done = self.now, time.monotonic(), step + 1
        seconds = self.now - before
        self.curve.waiting.append([outcome.loss.item(), outcome.groups, outcome.won, outcome.pairs, seconds])
        if done % STEPS_A_LINE == 0 or done == self.steps:
            self._write(done, learning_rate)
        every = max(STEPS_A_LINE, self.steps // SAID // STEPS_A_LINE * STEPS_A_LINE)
        if done % every == 0:
            self.progress.say(self._text(done))

    def outcome(self, share: float) -> dict[str, float]:
        """Return the seconds in all, and loss and share of groups won over the last `share` of the steps."""
        lines = self.curve.lines
        last = [line for line in lines if line["step"] > self.steps * (1 - share)]
        groups = sum(line["groups"] for line in last)
        return {
            "loss": round(sum(line["loss"] * line["groups"] for line in last) / groups, 4),
            "won": round(sum(line["won"] for line in last) / groups, 4),
            "seconds": round(sum(line["seconds"] for line in lines), 3),
        }

    def _write(self, done: int, learning_rate: float) -> None:
        losses, groups, won, pairs, seconds = zip(*self.curve.waiting, strict=True)
        line = {
            "step": done,
            "loss": round(sum(losses) / len(losses), 5),
            "learning_rate": learning_rate,
            "groups": sum(groups),
            "won": sum(won),
            "seconds": round(sum(seconds), 3),
            "pairs_per_second": round(sum(pairs) / sum(seconds), 1),
            "peak_memory_gib": round(peak_memory() / 2**30, 2),
        }
        self.curve.lines.append(line)
        self.curve.waiting.clear()
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")

    def _text(self, done: int) -> str:
        line = self.curve.lines[-1]
        left = sum(line["seconds"] for line in self.curve.lines) / done * (self.steps - done)
        return (
            f"step {done:,}/{self.steps:,} | loss {line['loss']:.2f} | won {line['won'] / line['groups']:.0%} | "
            f"lr {line['learning_rate']:.1e} | {line['pairs_per_second']:,.0f} pairs/s | eta {duration(left)}"
        )


def peak_memory() -> int:
    """Return the most memory that this process ever held, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
