"""The life of a training: check, answer from the record, or train, in one process or several.

What is trained, and on what, is the business of the protocol `Training`: each kind of model has its own.
"""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from curate.errors import CurateError
from curate.job_record import Record
from curate.progress import SILENT, Progress, duration
from curate.shards import Manifest
from curate.workspace import Workspace

from . import checkpoint
from .batch import ahead
from .identity import TrainingIdentity, weights_sha256
from .launch import check, launch
from .log import Log
from .loop import Dev, Loop, Task
from .optimizer import Schedule, adamw
from .world import World

LAST = 0.1
Batch = TypeVar("Batch")


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What a training made; loss and won are those of the last tenth of the steps."""

    name: str
    model: str
    """The folder, below the workspace."""
    init: str
    pairs: int
    steps: int
    loss: float
    won: float
    """Share of the rows in which a positive stood before all passages that count against it."""
    seconds: float
    pairs_per_second: float
    sha256: str
    """Of the weights."""
    trained_now: bool

    def lines(self, runs: str, read: str, unit: str) -> list[str]:
        """Return the outcome for a terminal: on which runs it was trained, what it read, in which unit."""
        done = "trained" if self.trained_now else "already trained"
        rate = f"{duration(self.seconds)} ({self.pairs_per_second:,.0f} pairs/s)"
        return [
            f"{self.model}: {done} from {self.init}{f' on {runs}' if runs else ''}.",
            f"{read}, {self.pairs:,} pairs in {rate}.",
            f"Over the last tenth: loss {self.loss:.3f}, {self.won:.0%} of the {unit} have a positive first.",
        ]


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
    steps: int
    total: int
    """Of what is counted, in all steps."""
    a_step: int
    unit: str
    dev: Dev | None = None


class Training(Protocol):
    """One training, as its settings and the workspace make it: made anew in each process."""

    identity: TrainingIdentity

    def __init__(self, workspace: Workspace, **arguments: Any) -> None: ...

    @property
    def settings(self) -> Settings:
        """The settings that the loop needs."""
        ...

    @property
    def data(self) -> Path:
        """The file with what is trained on; its manifest stands beside it."""
        ...

    def write_data(self) -> None:
        """Write what is trained on, unless it stands."""
        ...

    def work(self, world: World, progress: Progress) -> Work[Any]:
        """Load the initial model and open what is trained on."""
        ...

    def facts(self, data: Manifest, best: dict[str, Any] | None) -> dict[str, Any]:
        """Return what the record says of what was trained on; `pairs` among it. `best`: what dev chose."""
        ...

    def save(self, model: Any, outcome: Mapping[str, Any], best: dict[str, Any] | None) -> None:
        """Write the trained model to its folder."""
        ...


OneTraining = TypeVar("OneTraining", bound=Training)
T = TypeVar("T")


def run_training(
    kind: type[OneTraining],
    workspace: Workspace,
    arguments: Mapping[str, Any],
    devices: int,
    world: World,
    progress: Progress,
) -> tuple[OneTraining, dict[str, Any]]:
    """Train, unless a record says that it is done; return the training and the fields of its outcome.

    Either as one process of `world`, or, where that is this process alone, in `devices` new ones.
    """
    training = kind(workspace, **arguments)
    identity = training.identity
    identity.check()
    before = identity.record
    if before:
        shutil.rmtree(identity.checkpoints, ignore_errors=True)  # of a kill between the record and this
    elif devices > 1 and world.size == 1:
        check(devices)
        training.write_data()  # here, where there is one process, and somebody to tell
        launch(devices, _join, kind, workspace.root, dict(arguments), progress)
    else:
        _train(training, world, progress)
    record = before or seen(lambda: identity.record, identity.folder)
    return training, _fields(identity, record, now=before is None)


def _join(world: World, kind: type[Training], root: Path, arguments: dict[str, Any], progress: Progress) -> None:
    """Train as one of several processes."""
    _train(kind(Workspace(root), **arguments), world, progress)


def _train(training: Training, world: World, progress: Progress) -> None:
    """Train from the last checkpoint, or from the start; write the model and the record."""
    if world.is_first:
        training.write_data()
    world.wait()
    data = seen(lambda: Manifest.read(training.data), training.data)
    work = training.work(world, progress if world.is_first else SILENT)
    outcome, best = _steps(training, work, data.sha256, world, progress if world.is_first else SILENT)
    if world.is_first:
        training.save(work.task.model, outcome, best)
        facts = {**training.facts(data, best), **outcome}
        facts["pairs_per_second"] = round(facts["pairs"] / facts["seconds"], 1)
        facts["sha256"] = weights_sha256(training.identity.folder)
        training.identity.job.finish(**facts)
        shutil.rmtree(training.identity.checkpoints, ignore_errors=True)  # others may still have its files open
    world.wait()


def _steps(
    training: Training, work: Work[Any], plan: str, world: World, progress: Progress
) -> tuple[dict[str, float], dict[str, Any] | None]:
    """Make the steps that are left; the model ends with its best weights, which without dev are the last ones.

    `plan` is the sha256 of what is trained on. Returns loss and won over the last tenth of the steps with the
    seconds, and which step dev liked best.
    """
    identity, settings, model = training.identity, training.settings, work.task.model
    optimizer = adamw(model, settings.weight_decay)
    state = _start(identity, plan, world)
    if state.step:
        identity.check_plan(state, plan)
        checkpoint.restore(identity.checkpoints, state, model, optimizer)
        progress.say(f"goes on from step {state.step:,} of {work.steps:,}")
    path = identity.workspace.root / f"{identity.model}.log.jsonl" if world.is_first else None
    log = Log(path, work.steps, state.curve, progress)
    loop = Loop(
        task=work.task,
        optimizer=optimizer,
        schedule=Schedule(work.steps, settings.learning_rate, settings.warmup),
        clip_norm=settings.clip_norm,
        seed=identity.seed,
        checkpoints=identity.checkpoints,
        checkpoint_every=settings.checkpoint_every,
        world=world,
        log=log,
        dev=work.dev,
    )
    with progress.task(f"training {identity.name}", work.total, work.unit, state.step * work.a_step) as advance:
        state = loop.run(ahead(work.read(state.step)), state, advance)
    if state.best and world.is_first:  # who wrote them, and who saves the model
        checkpoint.restore_best(identity.checkpoints, state.best["step"], model)
    return log.outcome(LAST), state.best


def _start(identity: TrainingIdentity, plan: str, world: World) -> checkpoint.State:
    """Return the last checkpoint's state, or a first one; raises CurateError where the processes disagree."""
    settings = identity.all_settings if world.is_first else {}
    state = checkpoint.latest(identity.checkpoints) or checkpoint.State(settings=settings, plan=plan)
    if not world.agree([state.step, int(state.plan[:8], 16), int(identity.local_digest[:8], 16)]):
        raise CurateError(
            f"the processes do not see the same files: number {world.rank} sees a training after {state.step:,} "
            f"steps in {identity.checkpoints}, from {identity.base} in {identity.dtype}. All machines need the "
            "same workspace folder, the same start and the same options (--dtype says in what they compute)."
        )
    return state


def seen(look: Callable[[], T | None], path: Path, patience: float = 60.0) -> T:
    """Return what the first process wrote to `path`, once this one sees it: a network's folder may take a while.

    Raises CurateError after `patience` seconds.
    """
    until = time.monotonic() + patience
    while (found := look()) is None:
        if time.monotonic() > until:
            raise CurateError(
                f"this process does not see {path}, which the first one wrote. All machines need the same "
                "workspace folder."
            )
        time.sleep(0.1)
    return found


def _fields(identity: TrainingIdentity, record: Record, *, now: bool) -> dict[str, Any]:
    """Return the fields of an outcome: what every one has, and what the record says."""
    start = identity.job.settings["init"]
    return {"name": identity.name, "model": identity.model, "init": start, "trained_now": now, **record.facts}
