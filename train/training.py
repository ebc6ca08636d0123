"""What every training has: a name, a start, a run to learn from, and a record that says whether it is done."""

import json
import re
from functools import cached_property
from typing import Any

from curate import relations
from curate.config import TrainCrossEncoder
from curate.errors import BadSettings
from curate.jobs import Job, table_digest
from curate.models import fingerprint, model_folder, model_id, number_format
from curate.records import Record
from curate.runs import chosen_run
from curate.shards import file_sha256
from curate.workspace import Workspace

from . import checkpoint

# Either they change no weight, or their effect stands beside them under another key.
NOT_IN_THE_WEIGHTS = {"init", "dtype", "checkpoint_every"}
READ = ("passages", "queries", "qrels", "annotations")


class Training:
    """One training: where it starts, what it reads, where it writes. No model is loaded here."""

    def __init__(self, workspace: Workspace, run: str | None, name: str, settings: TrainCrossEncoder) -> None:
        """Settle the run and the start; raises BadSettings or MissingExtra where there is none."""
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            raise BadSettings(f"'{name}' names no folder below models/: letters, digits, '.', '_' and '-' do")
        self.workspace, self.name, self.settings = workspace, name, settings
        self.model = f"models/{name}"
        self.folder = workspace.root / self.model
        self.checkpoints = workspace.root / f"{self.model}.checkpoint"
        self.run_id = chosen_run(workspace, run)
        self.base = model_folder(settings.init or self._mining_encoder(), workspace.root)
        self.dtype = number_format(settings.dtype)
        self.seed = workspace.settings.seed
        self.steps = -(-settings.groups // settings.batch_groups)

    @cached_property
    def job(self) -> Job:
        """The job: equal settings and inputs give equal weights."""
        start = fingerprint(self.base, {})
        settings = {
            **self.settings.model_dump(exclude=NOT_IN_THE_WEIGHTS),
            "init": model_id(self.base, start),
            "dtype": self.dtype,
            "run": self.run_id,
            "seed": self.seed,
        }
        inputs = {table: table_digest(self.workspace, table) for table in READ}
        inputs["candidates"] = table_digest(self.workspace, "candidates", of_job=self.run_id)
        return Job(self.workspace, "train", f"train-{self.name}", settings, {**inputs, "init": start})

    @property
    def identity(self) -> dict[str, Any]:
        """Settings and inputs in one: what two trainings of one name must share."""
        return _flat(self.job.settings, self.job.inputs)

    @property
    def record(self) -> Record | None:
        """The record of this very training, if its model stands."""
        return self.job.record if self.folder.is_dir() else None

    def check(self) -> None:
        """Raise BadSettings where the name is taken by other settings, other inputs or another model."""
        record, state = self.workspace.record(self.job.job), checkpoint.latest(self.checkpoints)
        if record and self.folder.is_dir():
            self._check_weights(record)
            self._check_same(_flat(record.settings, record.inputs), self.model)
        elif state:
            self._check_same(state.settings, f"the unfinished training in {self.model}.checkpoint")
        elif self.folder.exists() and not self.checkpoints.is_dir():
            raise BadSettings(f"{self.model} stands there and was not trained here. Give another --name.")

    def rate(self) -> float | None:
        """Return the groups per second that were measured here from the same start, if any were."""
        for record in reversed(self.workspace.records("train")):
            if record.inputs.get("init") == self.job.inputs["init"]:
                return float(record.facts["groups"] / record.facts["seconds"])
        return None

    def _check_weights(self, record: Record) -> None:
        weights = self.folder / "model.safetensors"
        if not weights.is_file() or file_sha256(weights) != record.facts["sha256"]:
            raise BadSettings(
                f"{self.model} is not as it was trained: {weights.name} changed. "
                "Delete the folder, or give another --name."
            )

    def _check_same(self, theirs: dict[str, Any], what: str) -> None:
        ours = self.identity
        different = [key for key in sorted({*ours, *theirs}) if ours.get(key) != theirs.get(key)]
        if different:
            found = ", ".join(f"{key} {_short(theirs.get(key))}, now {_short(ours.get(key))}" for key in different)
            raise BadSettings(f"{what} has other settings: {found}. Give the same again, or another --name.")

    def _mining_encoder(self) -> str:
        with self.workspace.connect() as connection:
            found = connection.execute(relations.sql("stages", "train_encoder"), {"run": self.run_id}).fetchone()
        named = found[0] if found else self.workspace.settings.mine.encoder
        if not named:
            raise BadSettings(f"{self.run_id} was mined without an encoder; say where to start: --init MODEL")
        return str(named)


def _flat(settings: Any, inputs: Any) -> dict[str, Any]:
    return {**settings, **{f"contents of {name}": value for name, value in inputs.items()}}


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[1:9]}..."
