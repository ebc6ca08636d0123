"""The log of a training: one JSON line for every ten steps, and an occasional progress line for people."""

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from curate.progress import Progress, duration

from .curve import Curve, Outcome

STEPS_A_LINE = 10
SAID = 20
"""The approximate number of progress lines over the whole training."""


class Log:
    """Records the learning curve step by step. Without a path it keeps the curve but writes no file."""

    def __init__(self, path: Path | None, steps: int, curve: Curve, progress: Progress) -> None:
        """Rewrite the log at `path` with the lines of `curve` and continue from there."""
        self.path, self.steps, self.curve, self.progress = path, steps, curve, progress
        self.now = time.monotonic()
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(json.dumps(line) + "\n" for line in curve.lines), "utf-8")

    def add(self, step: int, outcome: Outcome, learning_rate: float, waited: float) -> None:
        """Record one step's outcome; write a line after every tenth step and after the last one."""
        before, self.now, done = self.now, time.monotonic(), step + 1
        self.curve.waiting.append({
            "loss": outcome.loss,
            "rows": outcome.rows,
            "won": outcome.won,
            "pairs": outcome.pairs,
            "tokens": outcome.tokens,
            "seconds": self.now - before,
            "waited": waited,
        })  # fmt: skip
        if done % STEPS_A_LINE == 0 or done == self.steps:
            self._write(self._line(done, learning_rate))
            self.curve.waiting.clear()
        every = max(STEPS_A_LINE, self.steps // SAID // STEPS_A_LINE * STEPS_A_LINE)
        if done % every == 0:
            self.progress.say(self._text(done))

    def add_dev(self, done: int, name: str, measure: float) -> None:
        """Record a measure on dev after `done` steps; the time of the evaluation is left out of all rates."""
        self._write({"step": done, name.lower().replace(" ", "_").replace("-", "_"): round(measure, 5)})
        self.progress.say(f"step {done:,}/{self.steps:,} | {name} {measure:.4f}")
        self.now = time.monotonic()

    def outcome(self, share: float) -> dict[str, float]:
        """Return seconds and tokens of all steps, and loss and share of rows won over the last `share` of them."""
        lines = self._trained()
        last = [line for line in lines if line["step"] > self.steps * (1 - share)]
        rows = sum(line["rows"] for line in last)
        return {
            "loss": round(sum(line["loss"] * line["rows"] for line in last) / rows, 4),
            "won": round(sum(line["won"] for line in last) / rows, 4),
            "seconds": round(sum(line["seconds"] for line in lines), 3),
            "tokens": round(sum(line["tokens_per_second"] * line["seconds"] for line in lines)),
        }

    def _trained(self) -> list[dict[str, Any]]:
        """Return the lines about training steps, without the lines about dev."""
        return [line for line in self.curve.lines if "loss" in line]

    def _line(self, done: int, learning_rate: float) -> dict[str, Any]:
        steps = self.curve.waiting
        of = {key: sum(step[key] for step in steps) for key in steps[0]}
        return {
            "step": done,
            "loss": round(of["loss"] / len(steps), 5),
            "learning_rate": learning_rate,
            "rows": of["rows"],
            "won": round(of["won"], 3),
            "seconds": round(of["seconds"], 3),
            "pairs_per_second": round(of["pairs"] / of["seconds"], 1),
            "tokens_per_second": round(of["tokens"] / of["seconds"], 1),
            "waited_for_data": round(of["waited"] / of["seconds"], 4),
            "peak_memory_gib": round(peak_memory() / 2**30, 2),
            "eta_seconds": round(self._left(done, of["seconds"]), 1),
        }

    def _left(self, done: int, newest: float) -> float:
        """Return the estimated seconds for the steps after `done`, at the pace so far."""
        spent: float = sum(line["seconds"] for line in self._trained()) + newest
        return spent / done * (self.steps - done)

    def _write(self, line: dict[str, Any]) -> None:
        self.curve.lines.append(line)
        if self.path:
            with self.path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(line) + "\n")

    def _text(self, done: int) -> str:
        line = self._trained()[-1]
        return (
            f"step {done:,}/{self.steps:,} | loss {line['loss']:.2f} | won {line['won'] / line['rows']:.0%} | "
            f"lr {line['learning_rate']:.1e} | {line['pairs_per_second']:,.0f} pairs/s | "
            f"data {line['waited_for_data']:.0%} | {line['peak_memory_gib']} GiB | "
            f"eta {duration(line['eta_seconds'])}"
        )


def peak_memory() -> int:
    """Return this process's peak memory in bytes: of the GPU if there is one, otherwise of the host."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
