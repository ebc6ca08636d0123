"""The log of a training: one JSON line per ten steps, and now and then a line for people."""

import json
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.progress import Progress, duration

if TYPE_CHECKING:
    from curate.train.loop import Outcome

STEPS_A_LINE = 10
SAID = 20
"""Lines for people, over the whole training."""


class Log:
    """Collects what the steps report; `lines` is what stands in the file."""

    def __init__(self, path: Path, steps: int, lines: list[dict[str, Any]], progress: Progress) -> None:
        """Continue the log at `path` after `lines`, the ones that a checkpoint kept."""
        self.path, self.steps, self.lines, self.progress = path, steps, list(lines), progress
        self.waiting: list[Outcome] = []
        self.since = self.begun = time.monotonic()
        self.done_before = self.lines[-1]["step"] if self.lines else 0
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(line) + "\n" for line in self.lines), "utf-8")

    def add(self, step: int, outcome: "Outcome", learning_rate: float) -> None:
        """Take one step's outcome; every tenth, and the last, writes a line."""
        self.waiting.append(replace(outcome, loss=outcome.loss.detach()))
        done = step + 1
        if done % STEPS_A_LINE == 0 or done == self.steps:
            self._write(done, learning_rate)
        every = max(STEPS_A_LINE, self.steps // SAID // STEPS_A_LINE * STEPS_A_LINE)
        if done % every == 0:
            self.progress.say(self._text(done))

    def over_last(self, share: float) -> dict[str, float]:
        """Return the mean loss, and the share of groups won, over the last `share` of the steps."""
        last = [line for line in self.lines if line["step"] > self.steps * (1 - share)] or self.lines[-1:]
        groups = sum(line["groups"] for line in last)
        return {
            "loss": round(sum(line["loss"] * line["groups"] for line in last) / groups, 4),
            "won": round(sum(line["won"] for line in last) / groups, 4),
        }

    def _write(self, done: int, learning_rate: float) -> None:
        now = time.monotonic()
        line = {
            "step": done,
            "loss": round(sum(outcome.loss.item() for outcome in self.waiting) / len(self.waiting), 5),
            "learning_rate": learning_rate,
            "groups": sum(outcome.groups for outcome in self.waiting),
            "won": sum(outcome.won for outcome in self.waiting),
            "pairs_per_second": round(sum(outcome.pairs for outcome in self.waiting) / (now - self.since), 1),
            "peak_memory_gib": round(peak_memory() / 2**30, 2),
        }
        self.lines.append(line)
        self.waiting, self.since = [], now
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")

    def _text(self, done: int) -> str:
        line = self.lines[-1]
        left = (time.monotonic() - self.begun) / (done - self.done_before) * (self.steps - done)
        return (
            f"step {done:,}/{self.steps:,} | loss {line['loss']:.2f} | won {line['won'] / line['groups']:.0%} | "
            f"lr {line['learning_rate']:.1e} | {line['pairs_per_second']:,.0f} pairs/s | eta {duration(left)}"
        )


def peak_memory() -> int:
    """Return the most memory that this process ever held, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
