"""From a start to trained weights, whatever the model: restore, loop, and the best or the last weights."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from curate.errors import CurateError
from curate.progress import SILENT, Progress

from . import checkpoint
from .batch import ahead
from .identity import Training
from .log import Log
from .loop import Dev, Loop, Task
from .optimizer import Schedule, adamw
from .world import World

LAST = 0.1
Batch = TypeVar("Batch")


class Settings(Protocol):
    """What every trainer's settings have."""

    learning_rate: float
    warmup: float
    weight_decay: float
    clip_norm: float
    checkpoint_every: int


@dataclass(frozen=True)
class Work(Generic[Batch]):
    """What is to be trained, on what."""

    task: Task[Batch]
    read: Callable[[int], Iterator[tuple[int, Batch]]]
    """Yields (step, batch) from a step on."""
    plan: str
    """The sha256 of the file that is read."""
    steps: int
    total: int
    """Of what is counted, in all steps."""
    a_step: int
    unit: str
    dev: Dev | None = None


def fit(
    training: Training, work: Work[Any], settings: Settings, world: World, progress: Progress
) -> dict[str, Any]:
    """Train from the last checkpoint, or from the start; the model ends with its best weights.

    Without dev these are the last ones. Returns loss and won over the last tenth of the steps, the seconds, and
    what dev said of the best weights.
    """
    speak = progress if world.is_first else SILENT
    model = work.task.model
    optimizer = adamw(model, settings.weight_decay)
    state = checkpoint.latest(training.checkpoints) or checkpoint.State(
        settings=training.identity if world.is_first else {}, plan=work.plan
    )
    if not world.agree([state.step, int(state.plan[:8], 16), int(training.own[:8], 16)]):
        raise CurateError(
            f"the processes do not see the same files: number {world.rank} sees a training after {state.step:,} "
            f"steps in {training.checkpoints}, from {training.base} in {training.dtype}. All machines need the "
            "same workspace folder, the same start and the same options (--dtype says in what they compute)."
        )
    if state.step:
        training.check_plan(state, work.plan)
        checkpoint.restore(training.checkpoints, state, model, optimizer)
        speak.say(f"goes on from step {state.step:,} of {work.steps:,}")
    path = training.workspace.root / f"{training.model}.log.jsonl" if world.is_first else None
    log = Log(path, work.steps, state.curve, speak)
    loop = Loop(
        task=work.task,
        optimizer=optimizer,
        schedule=Schedule(work.steps, settings.learning_rate, settings.warmup),
        clip_norm=settings.clip_norm,
        seed=training.seed,
        checkpoints=training.checkpoints,
        checkpoint_every=settings.checkpoint_every,
        world=world,
        log=log,
        dev=work.dev,
    )
    with speak.task(f"training {training.name}", work.total, work.unit, state.step * work.a_step) as advance:
        state = loop.run(ahead(work.read(state.step)), state, advance)
    outcome: dict[str, Any] = {**log.outcome(LAST), "best": state.best}
    if state.best and world.is_first:  # who wrote them, and who saves the model
        checkpoint.restore_best(training.checkpoints, state.best["step"], model)
    return outcome
