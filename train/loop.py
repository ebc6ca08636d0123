"""The loop that every trainer shares: gradients, their sum over the processes, step, log, dev, checkpoint.

What is trained stands behind `Task`. The order of the batches and every random number are functions of the
seed and the step: no generator's state is kept, and a resumed training ends with the same bytes.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from curate.errors import CurateError, NoSpace
from curate.progress import Advance
from curate.shards import digest

from . import checkpoint
from .curve import Outcome
from .log import Log
from .optimizer import Schedule
from .world import World

if TYPE_CHECKING:
    import torch

Batch = TypeVar("Batch")
Taken_contra = TypeVar("Taken_contra", contravariant=True)


class Task(Protocol[Taken_contra]):
    """A model, and its gradients on a batch."""

    model: "torch.nn.Module"
    lighter: str
    """What takes less memory."""

    def backward(self, batch: Taken_contra, seed: int) -> Outcome:
        """Add the gradients of this process's part of the batch; return this process's part of the outcome.

        The parts' losses add up to the batch's. `seed` is for what is drawn in this step.
        """
        ...

    def names(self, batch: Taken_contra) -> str:
        """Return the ids in a batch, for an error message."""
        ...


@dataclass(frozen=True)
class Dev:
    """The queries of dev, asked every so often: the weights that do best are kept."""

    every: int
    """Steps."""
    ask: Callable[[], float]
    """Return the measure, on every process the same; higher is better."""


@dataclass(frozen=True)
class Loop(Generic[Batch]):
    """How the steps are made."""

    task: Task[Batch]
    optimizer: "torch.optim.Optimizer"
    schedule: Schedule
    clip_norm: float
    seed: int
    checkpoints: Path
    checkpoint_every: int
    world: World
    log: Log
    dev: Dev | None = None

    def run(
        self, batches: Iterator[tuple[int, Batch]], start: checkpoint.State, advance: Advance
    ) -> checkpoint.State:
        """Make every step that is left; return the state with the best that dev said.

        Raises CurateError at a loss or gradient that is not finite, NoSpace where a GPU's memory is full: the
        model keeps its last good checkpoint.
        """
        import torch

        state = start
        self.task.model.train()
        while True:
            asked = time.monotonic()
            following = next(batches, None)
            if following is None:
                return state
            (step, batch), waited = following, time.monotonic() - asked
            try:
                outcome = self._step(step, batch)
            except torch.OutOfMemoryError as error:
                reason = str(error).partition(". ")[0]
                raise NoSpace(f"step {step + 1}: {reason}. Try {self.task.lighter}, or more --devices") from error
            self.log.add(step, outcome, self.schedule.at(step), waited)
            advance(outcome.rows)
            state = self._kept(state, step + 1)

    def _kept(self, state: checkpoint.State, done: int) -> checkpoint.State:
        """Ask dev and write a checkpoint where it is time to; return the state with what dev said."""
        last = done == self.schedule.steps
        if self.dev and (done % self.dev.every == 0 or last):
            self.task.model.eval()
            measure = self.dev.ask()
            self.task.model.train()
            self.log.add_dev(done, measure)
            if state.best is None or measure > state.best["measure"]:
                state = replace(state, best={"step": done, "measure": measure})
                if self.world.is_first:
                    checkpoint.save_best(self.checkpoints, done, self.task.model)
        if done % self.checkpoint_every == 0 and not last:
            if self.world.is_first:
                now = replace(state, step=done, curve=self.log.curve)
                checkpoint.save(self.checkpoints, now, self.task.model, self.optimizer)
            self.world.wait()
        return state

    def _step(self, step: int, batch: Batch) -> Outcome:
        import torch

        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule.at(step)
        part = self.task.backward(batch, seed_of(self.seed, step))
        self.world.sum_gradients(self.task.model.parameters())
        norm = torch.nn.utils.clip_grad_norm_(self.task.model.parameters(), self.clip_norm)
        loss, pairs, tokens, won = self.world.total([part.loss, part.pairs, part.tokens, part.won])
        if not torch.isfinite(norm + loss):
            raise CurateError(_not_finite(step, loss, norm.item(), self.task.names(batch)))
        self.optimizer.step()
        self.optimizer.zero_grad()
        return Outcome(loss, part.rows, int(pairs), int(tokens), won)


def seed_of(seed: int, step: int) -> int:
    """Return the seed of torch's generator at a step: below 2**63."""
    return int(digest("step", seed, step)[:15], 16)


def _not_finite(step: int, loss: float, norm: float, names: str) -> str:
    return (
        f"step {step + 1}: the loss is {loss}, the gradient's norm {norm}; both should be finite. What was kept "
        f"before stays. Try a smaller --learning-rate under another --name. Query and passage ids: {names}"
    )
