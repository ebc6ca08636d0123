"""The loop that every trainer shares: forward, backward, step, log, checkpoint.

What is trained stands behind `Task`. The order of the batches and every random number are functions of the
seed and the step: no generator's state is kept, and a resumed training ends with the same bytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from curate.errors import CurateError
from curate.progress import Advance
from curate.shards import digest

from . import checkpoint
from .groups import Pair
from .log import Log
from .optimizer import Schedule

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Outcome:
    """One step's loss (with its graph), and what the log counts."""

    loss: "torch.Tensor"
    groups: int
    pairs: int
    won: int
    """Groups whose positive stands first."""


class Task(Protocol):
    """A model, and its loss on a batch of pairs."""

    model: "torch.nn.Module"

    def loss(self, pairs: list[Pair]) -> Outcome:
        """Return the loss of a batch."""
        ...


@dataclass(frozen=True)
class Loop:
    """How the steps are made."""

    schedule: Schedule
    clip_norm: float
    seed: int
    checkpoints: Path
    checkpoint_every: int

    def run(
        self,
        task: Task,
        optimizer: "torch.optim.Optimizer",
        batches: Iterator[tuple[int, list[Pair]]],
        start: checkpoint.State,
        log: Log,
        advance: Advance,
    ) -> None:
        """Make every step that is left.

        Raises CurateError at a loss or gradient that is not finite: the model keeps its last good checkpoint.
        """
        task.model.train()
        for step, pairs in batches:
            outcome = self._step(task, optimizer, step, pairs)
            log.add(step, outcome, self.schedule.at(step))
            advance(outcome.groups)
            if (step + 1) % self.checkpoint_every == 0 and step + 1 < self.schedule.steps:
                state = replace(start, step=step + 1, curve=log.curve)
                checkpoint.save(self.checkpoints, state, task.model, optimizer)

    def _step(self, task: Task, optimizer: "torch.optim.Optimizer", step: int, pairs: list[Pair]) -> Outcome:
        import torch

        torch.manual_seed(seed_of(self.seed, step))
        for group in optimizer.param_groups:
            group["lr"] = self.schedule.at(step)
        outcome = task.loss(pairs)
        outcome.loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(task.model.parameters(), self.clip_norm)
        if not torch.isfinite(outcome.loss + norm):
            raise CurateError(_not_finite(step, outcome.loss.item(), norm.item(), pairs))
        optimizer.step()
        optimizer.zero_grad()
        return outcome


def seed_of(seed: int, step: int) -> int:
    """Return the seed of torch's generator at a step: below 2**63."""
    return int(digest("step", seed, step)[:15], 16)


def _not_finite(step: int, loss: float, norm: float, pairs: list[Pair]) -> str:
    batch = ", ".join(f"{pair['query_id']} {pair['passage_id']}" for pair in pairs)
    return (
        f"step {step + 1}: the loss is {loss}, the gradient's norm {norm}; both should be finite. The last good "
        f"checkpoint stays. Try a smaller --learning-rate with another --name. Query and passage ids: {batch}"
    )
