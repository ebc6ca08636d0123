"""The training loop that all trainers share: gradients and their sum, optimizer step, log, dev, checkpoint.

`Task` hides what is trained. The order of the batches and all random numbers are functions of the seed and the
step. No generator state has to be saved, and a resumed training ends with the same bytes.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from curate.errors import CurateError, NoSpace
from curate.plan import Pace
from curate.progress import Advance
from curate.shard_in_work import is_asked_to_stop, shard_in_work
from curate.shards import drawn

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
    """A model and the computation of its gradients on a batch."""

    model: "torch.nn.Module"
    lighter: str
    """Options that reduce memory use, for an error message."""

    def backward(self, batch: Taken_contra, seed: int) -> Outcome:
        """Add the gradients of this process's part of the batch and return its part of the outcome.

        The losses of all parts add up to the loss of the batch. `seed` seeds the random numbers of this step.
        """
        ...

    def names(self, batch: Taken_contra) -> str:
        """Return the query and passage ids in a batch, for an error message."""
        ...


def pace_of_steps(task: Task[Batch], first: Batch, second: Batch) -> Pace:
    """Return how many pairs a second the gradients of `second` take, after those of `first` have warmed up."""
    task.backward(first, 0)
    started = time.monotonic()
    outcome = task.backward(second, 1)
    return Pace(outcome.pairs / (time.monotonic() - started), outcome.tokens / outcome.pairs)


@dataclass(frozen=True)
class Dev:
    """A regular evaluation on dev, or on queries that are held back, which selects the best weights."""

    every: int
    """The number of steps between two evaluations."""
    ask: Callable[[], float]
    """A function that returns the measure, the same on every process; higher is better."""
    measure: str = "dev MRR@10"
    """The name of the measure."""
    keeps_start: bool = True
    """Whether the start may be handed over. If not, it is measured all the same."""


@dataclass(frozen=True)
class Loop(Generic[Batch]):
    """The parts and settings of a training, and the method that runs its steps."""

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
        """Run all remaining steps; return the state, which names the step that did best on dev.

        Raises CurateError if a loss or gradient is not finite, and NoSpace if a GPU runs out of memory. Either
        way, the last checkpoint is kept.
        """
        import torch

        state = start if start.step else self._asked(start, 0)
        self.task.model.train()
        while True:
            with shard_in_work("step") if self.world.size == 1 else nullcontext():
                asked = time.monotonic()
                following = next(batches, None)
                if following is None:
                    return state
                (step, batch), waited = following, time.monotonic() - asked
                try:
                    outcome = self._step(step, batch)
                except torch.OutOfMemoryError as error:
                    reason = str(error).partition(". ")[0]
                    raise NoSpace(
                        f"step {step + 1}: {reason}. Try {self.task.lighter}, or more --devices"
                    ) from error
                self.log.add(step, outcome, self.schedule.at(step), waited)
                advance(outcome.rows)
                state = self._kept(state, step + 1)

    def _kept(self, state: checkpoint.State, done: int) -> checkpoint.State:
        """Evaluate on dev and write a checkpoint if either is due; return the state with the best step so far.

        A checkpoint is also due when Ctrl-C asks to stop after this step.
        """
        last = done == self.schedule.steps
        if self.dev and (done % self.dev.every == 0 or last):
            state = self._asked(state, done)
        if (done % self.checkpoint_every == 0 and not last) or is_asked_to_stop():
            if self.world.is_first:
                now = replace(state, step=done, curve=self.log.curve)
                checkpoint.save(self.checkpoints, now, self.task.model, self.optimizer)
            self.world.wait()
        return state

    def _asked(self, state: checkpoint.State, done: int) -> checkpoint.State:
        """Return the state after an evaluation on dev; the weights after `done` steps are kept if they did best.

        Step 0 counts too: a model that only got worse is not handed over. Where the two are equal, dev cannot tell
        them apart, and the trained weights are kept.
        """
        if not self.dev:
            return state
        self.task.model.eval()
        measure = self.dev.ask()
        self.task.model.train()
        self.log.add_dev(done, self.dev.measure, measure)
        best = state.best or {"step": done, "measure": measure, "start": measure}
        is_start = best["step"] == 0
        is_better = measure > best["measure"] or (
            is_start and (measure == best["measure"] or not self.dev.keeps_start)
        )
        if is_better:
            best = {**best, "step": done, "measure": measure}
            if self.world.is_first:
                checkpoint.save_best(self.checkpoints, done, self.task.model)
        return replace(state, best={**best, "end": measure})

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
    """Return the seed of torch's generator for a step, an integer below 2**63."""
    return drawn("step", seed, step)


def _not_finite(step: int, loss: float, norm: float, names: str) -> str:
    return (
        f"step {step + 1}: the loss is {loss} and the gradient norm is {norm}; both should be finite. Earlier "
        f"checkpoints are kept. Try a smaller --learning-rate with another --name. Query and passage ids: {names}"
    )
