"""The life cycle of a training: check, answer from the record, or train in one process or several.

The protocol `Training` describes what is trained and on which data. Each kind of model implements it.
"""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from curate.counted import counted
from curate.errors import CurateError
from curate.job_record import Record
from curate.models.devices import check_devices
from curate.models.folder import weights_sha256
from curate.models.pretrained import device
from curate.models.threads import VARIABLE
from curate.progress import SILENT, Progress, duration
from curate.shards import Manifest
from curate.workspace import Workspace

from . import checkpoint
from .batch import ahead
from .identity import TrainingIdentity
from .launch import launch
from .log import Log
from .loop import Dev, Loop, Task
from .optimizer import Schedule, adamw
from .world import World

LAST = 0.1
Batch = TypeVar("Batch")


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The outcome of a training; `loss` and `won` are averages over the last tenth of the steps."""

    name: str
    model: str
    """The model's folder, relative to the workspace."""
    init: str
    pairs: int
    steps: int
    loss: float
    won: float
    """The share of rows in which a positive ranked above all negatives."""
    seconds: float
    """The time of the steps."""
    whole_seconds: float
    """The time of the whole training; if it was resumed, of its last part."""
    pairs_per_second: float
    sha256: str
    """The sha256 of the weights."""
    trained_now: bool
    tokens: int = 0
    """The tokens of all pairs, without padding; 0 if an older version trained it."""
    threads: int = 0
    """The threads of all processes together; 0 if an older version trained it."""

    def lines(self, runs: str, read: str, unit: str) -> list[str]:
        """Return the outcome for a terminal; `runs` names the runs, `read` the data, and `unit` groups or rows."""
        done = "trained" if self.trained_now else "already trained"
        rate = f"{duration(self.seconds)} of steps ({self.pairs_per_second:,.0f} pairs/s)"
        return [
            f"{self.model}: {done} from {self.init}{f' on {runs}' if runs else ''}.",
            f"{read}, {counted(self.pairs, 'pairs')} in {rate}; {duration(self.whole_seconds)} with all the rest.",
            f"Over the last tenth of the steps: loss {self.loss:.3f}, {self.won:.0%} of the {unit} rank a "
            "positive first.",
        ]


class Settings(Protocol):
    """The settings that all trainers share."""

    warmup: float
    weight_decay: float
    clip_norm: float
    checkpoint_every: int


@dataclass(frozen=True)
class Work(Generic[Batch]):
    """A task, its data, and the units in which progress is counted."""

    task: Task[Batch]
    read: Callable[[int], Iterator[tuple[int, Batch]]]
    """A function that yields (step, batch), starting at a given step."""
    steps: int
    total: int
    """The number of units in all steps."""
    a_step: int
    """The number of units in one step."""
    unit: str
    learning_rate: float
    """The highest one."""
    dev: Dev | None = None


class Training(Protocol):
    """One training, determined by its settings and the workspace; each process creates its own."""

    identity: TrainingIdentity
    notes: list[str]
    """Which runs and cutoffs are used if nobody named them, and what the runs lack."""

    def __init__(self, workspace: Workspace, **arguments: Any) -> None: ...

    @property
    def settings(self) -> Settings:
        """The settings that the loop needs."""
        ...

    @property
    def data(self) -> Path:
        """The file with the training data; its manifest lies beside it."""
        ...

    def write_data(self, progress: Progress) -> None:
        """Write the training data unless it is there already."""
        ...

    def work(self, world: World, progress: Progress) -> Work[Any]:
        """Load the initial model and open the training data."""
        ...

    def facts(self, data: Manifest, best: dict[str, Any] | None) -> dict[str, Any]:
        """Return the facts about the training data for the record, including `pairs`; `best` is dev's choice."""
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
    """Train unless a record says that the training is done; return the training and the fields of its outcome.

    If `world` has several processes, this is one of them. Otherwise the training runs in this process, or in
    `devices` new ones if `devices` is above 1.
    """
    training = kind(workspace, **arguments)
    identity = training.identity
    identity.check()
    before = identity.record
    if world.is_first:
        for note in training.notes:
            progress.say(note)
    if before:
        shutil.rmtree(identity.checkpoints, ignore_errors=True)  # left over if a kill came right after the record
    elif devices > 1 and world.size == 1:
        check_devices(devices)
        training.write_data(progress)  # in this one process, where errors reach the caller
        launch(devices, _join, kind, workspace.root, dict(arguments), progress)
    else:
        _train(training, world, progress)
    record = before or seen(lambda: identity.record, identity.folder)
    return training, outcome_fields(identity, record, now=before is None)


def _join(world: World, kind: type[Training], root: Path, arguments: dict[str, Any], progress: Progress) -> None:
    """Train as one of the processes that `launch` started."""
    _train(kind(Workspace(root), **arguments), world, progress)


def _train(training: Training, world: World, progress: Progress) -> None:
    """Train from the last checkpoint or from the start; write the model and the record."""
    if world.is_first:
        training.write_data(progress)
    world.wait()
    data = seen(lambda: Manifest.read(training.data), training.data)
    progress = progress if world.is_first else SILENT
    work = training.work(world, progress)
    outcome, best = run_steps(training.identity, training.settings, work, data.sha256, world, progress)
    if world.is_first:
        training.save(work.task.model, outcome, best)
        facts = {**training.facts(data, best), **outcome}
        facts["pairs_per_second"] = round(facts["pairs"] / facts["seconds"], 1)
        facts["sha256"] = weights_sha256(training.identity.folder)
        training.identity.job.finish(**facts)
        shutil.rmtree(training.identity.checkpoints, ignore_errors=True)  # others may have its files open
    world.wait()


def run_steps(
    identity: TrainingIdentity,
    settings: Settings,
    work: Work[Any],
    plan: str,
    world: World,
    progress: Progress,
) -> tuple[dict[str, float], dict[str, Any] | None]:
    """Run the remaining steps; the model ends up with its best weights, which without dev are the last ones.

    `plan` is the sha256 of the training data. Returns two things: the loss and the share won over the last tenth
    of the steps with the total seconds and the number of threads, and the step that did best on dev.
    """
    model = work.task.model
    optimizer = adamw(model, settings.weight_decay)
    state = _start(identity, plan, world)
    if state.step:
        identity.check_plan(state, plan)
        checkpoint.restore(identity.checkpoints, state, model, optimizer)
        progress.say(f"resuming after step {state.step:,} of {work.steps:,}")
    state = replace(state, threads=_threads(state.threads, world, progress))
    path = identity.workspace.root / f"{identity.model}.log.jsonl" if world.is_first else None
    log = Log(path, work.steps, state.curve, progress)
    loop = Loop(
        task=work.task,
        optimizer=optimizer,
        schedule=Schedule(work.steps, work.learning_rate, settings.warmup),
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
    if state.best and world.is_first:  # only this process wrote them and saves the model
        checkpoint.restore_best(identity.checkpoints, state.best["step"], model)
    return {**log.outcome(LAST), "threads": state.threads}, state.best


def _threads(before: int, world: World, progress: Progress) -> int:
    """Let torch go on with as many threads as `before` an interruption; return those of all processes together."""
    import torch

    if before:
        torch.set_num_threads(max(1, before // world.size))
    threads = torch.get_num_threads()
    if device() == "cpu":
        resumed = f" ({VARIABLE} sets another number)"
        if before:
            resumed = f", as before the interruption ({VARIABLE} does not change that)"
        progress.say(f"{counted(threads, 'threads')} in each process{resumed}")
    return before or threads * world.size


def _start(identity: TrainingIdentity, plan: str, world: World) -> checkpoint.State:
    """Return the state of the last checkpoint, or an initial one; raises CurateError if the processes disagree."""
    settings = identity.all_settings if world.is_first else {}
    state = checkpoint.latest(identity.checkpoints) or checkpoint.State(settings=settings, plan=plan)
    if not world.agree([state.step, int(state.plan[:8], 16), int(identity.local_digest[:8], 16)]):
        raise CurateError(
            f"the processes do not see the same files: process {world.rank} sees a training after {state.step:,} "
            f"steps in {identity.checkpoints}, starting from {identity.base} and computing in {identity.dtype}. "
            "All machines need the same workspace folder, the same initial model and the same options (--dtype "
            "sets the number format)."
        )
    return state


def seen(look: Callable[[], T | None], path: Path, patience: float = 60.0) -> T:
    """Return what `look` finds once the file that the first process wrote to `path` is visible here.

    A network file system may take a while. Raises CurateError after `patience` seconds.
    """
    until = time.monotonic() + patience
    while (found := look()) is None:
        if time.monotonic() > until:
            raise CurateError(
                f"this process does not see {path}, which the first process wrote. All machines need the same "
                "workspace folder."
            )
        time.sleep(0.1)
    return found


def outcome_fields(identity: TrainingIdentity, record: Record, *, now: bool) -> dict[str, Any]:
    """Return the fields of an outcome: the common ones, and the facts in the record."""
    start = identity.init
    named = {"name": identity.name, "model": identity.model, "init": start}
    return {**named, "trained_now": now, "whole_seconds": record.seconds, **record.facts}
