"""What trainers share around the fit: check, answer from the record, start processes, write the record."""

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from curate.errors import CurateError
from curate.job_record import Record
from curate.progress import Progress, duration
from curate.shards import Manifest
from curate.workspace import Workspace

from .identity import Training, weights_sha256
from .launch import check, launch
from .world import World


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


class Trainer(Protocol):
    """One training, as its settings and the workspace make it: made anew in each process."""

    training: Training

    def __init__(self, workspace: Workspace, **arguments: Any) -> None: ...

    @property
    def data(self) -> Path:
        """The file with what is trained on; its manifest stands beside it."""
        ...

    def write_data(self) -> None:
        """Write what is trained on, unless it stands."""
        ...

    def fit(self, data: Manifest, world: World, progress: Progress) -> dict[str, Any]:
        """Train from the last checkpoint, or from the start, and write the model; return the record's facts."""
        ...


T = TypeVar("T")
OneTrainer = TypeVar("OneTrainer", bound=Trainer)


def run(
    kind: type[OneTrainer],
    workspace: Workspace,
    arguments: Mapping[str, Any],
    devices: int,
    world: World,
    progress: Progress,
) -> tuple[OneTrainer, dict[str, Any]]:
    """Train, unless a record says that it is done; return the trainer and the fields of its outcome.

    Either as one process of `world`, or, where that is this process alone, in `devices` new ones.
    """
    trainer = kind(workspace, **arguments)
    training = trainer.training
    training.check()
    before = training.record
    if before:
        shutil.rmtree(training.checkpoints, ignore_errors=True)  # of a kill between the record and this
    elif devices > 1 and world.size == 1:
        check(devices)
        trainer.write_data()  # here, where there is one process, and somebody to tell
        launch(devices, _join, kind, workspace.root, dict(arguments), progress)
    else:
        _train(trainer, world, progress)
    record = before or seen(lambda: training.record, training.folder)
    return trainer, _outcome(training, record, now=before is None)


def _join(world: World, kind: type[Trainer], root: Path, arguments: dict[str, Any], progress: Progress) -> None:
    """Train as one of several processes."""
    _train(kind(Workspace(root), **arguments), world, progress)


def _train(trainer: Trainer, world: World, progress: Progress) -> None:
    training = trainer.training
    if world.is_first:
        trainer.write_data()
    world.wait()
    facts = trainer.fit(seen(lambda: Manifest.read(trainer.data), trainer.data), world, progress)
    if world.is_first:
        facts["pairs_per_second"] = round(facts["pairs"] / facts["seconds"], 1)
        facts["sha256"] = weights_sha256(training.folder)
        training.job.finish(**facts)
        shutil.rmtree(training.checkpoints, ignore_errors=True)  # others may still have its files open
    world.wait()


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


def _outcome(training: Training, record: Record, *, now: bool) -> dict[str, Any]:
    start = training.job.settings["init"]
    return {"name": training.name, "model": training.model, "init": start, "trained_now": now, **record.facts}
