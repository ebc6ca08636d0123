"""The identity of a training: name, initial model, settings and inputs, and the record that says if it is done."""

import copy
import json
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from curate.errors import BadSettings, StaleModel
from curate.job_record import Record
from curate.jobs import Job, table_digest
from curate.models.folder import fingerprint, model_id, weights_sha256
from curate.models.pretrained import number_format
from curate.models.trained_here import training_of
from curate.plan import Pace
from curate.shards import digest
from curate.workspace import Workspace

from . import checkpoint

SCRATCH = ".checkpoint"
CONTENTS = "contents of "


class TrainingIdentity:
    """One training's initial model, inputs and output paths. This class loads no model."""

    def __init__(
        self,
        workspace: Workspace,
        name: str,
        base: Path,
        dtype: str,
        settings: Mapping[str, Any],
        inputs: Callable[[], Mapping[str, str]],
        *,
        form: Callable[[str], Mapping[str, str]],
        fold: int | None = None,
    ) -> None:
        """Take everything that determines the weights: initial model, number format, settings, inputs and seed.

        form: returns the setting that says how a GPU computes the attention in a number format; none elsewhere.
        fold: the number of one of several judges, whose folder is inside that of `name`.

        `inputs` and `form` are called at most once, and only if the job's identity is needed, because they take a
        while. Once the model is trained, the form and the dtype that `auto` means here no longer matter.
        """
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) or name.endswith(SCRATCH):
            raise BadSettings(
                f"'{name}' cannot be the name of a model: a name consists of letters, digits, '.', '_' and '-', "
                f"starts with a letter or digit, and does not end with {SCRATCH}"
            )
        self.name = f"{name}/fold-{fold}" if fold else name
        self.workspace, self.base = workspace, base
        self.model = f"models/{self.name}"
        self.folder = workspace.root / self.model
        self.checkpoints = workspace.root / f"{self.model}{SCRATCH}"
        self.dtype, self._any_dtype = number_format(dtype), dtype == "auto"
        self.seed = workspace.settings.seed
        self._settings, self._inputs, self._form_in = settings, inputs, form

    def part(self, name: str, checkpoints: Path) -> "TrainingIdentity":
        """Return the identity of a part of this training, which has a log and checkpoints of its own."""
        found = copy.copy(self)
        found.name, found.model = f"{self.name} ({name})", f"{self.model}.{name}"
        found.checkpoints = checkpoints
        return found

    @property
    def _queries(self) -> str:
        """The digest of the queries and of people's judgements on them."""
        asked = {"augmented": bool(self._settings.get("augmented")), "dev": bool(self._settings.get("dev_every"))}
        return str(self.workspace.select("train/queries_digest", **asked)["digest"][0])

    @cached_property
    def start(self) -> str:
        """The fingerprint of the initial model's files."""
        return fingerprint(self.base, {})

    @property
    def local_digest(self) -> str:
        """A digest of what each process finds by itself: the initial model's files, number format and settings."""
        return digest(self.start, self.dtype, self._settings, *self.form.items())

    @property
    def init(self) -> str:
        """The id of the initial model."""
        return model_id(self.base, self.start)

    @cached_property
    def form(self) -> Mapping[str, str]:
        """How a GPU computes the attention, on which the last bits depend; nothing elsewhere."""
        return self._form_in(self.dtype)

    @cached_property
    def job(self) -> Job:
        """The training's job; equal settings and inputs give equal weights."""
        settings = {**self._own_settings, **self.form}
        return Job(self.workspace, "train", self._job_name, settings, self._own_inputs)

    @property
    def _own_settings(self) -> dict[str, Any]:
        return {**self._settings, "init": self.init, "dtype": self.dtype, "seed": self.seed}

    @cached_property
    def _own_inputs(self) -> dict[str, str]:
        return {
            "passages": table_digest(self.workspace, "passages"),
            "queries": self._queries,
            **self._inputs(),
            "init": self.start,
        }

    @property
    def _job_name(self) -> str:
        return training_of(self.name)

    @property
    def all_settings(self) -> dict[str, Any]:
        """The settings and inputs in one dict, in which all trainings of one name must agree."""
        return _flat(self.job.settings, self.job.inputs)

    @property
    def record(self) -> Record | None:
        """The record of this training, if it is finished with equal settings and its model folder exists."""
        record = self.workspace.record(self._job_name)
        same = record and self.folder.is_dir() and not self._different(*self._finished(record))
        return record if same else None

    def check(self) -> None:
        """Raise BadSettings if another model, or a training with other settings or inputs, has the name."""
        if self.base == self.folder.resolve():
            raise BadSettings(
                f"{self.model} would start from itself (it mined the run, or curate.toml names it). "
                "Use another --name, or --init MODEL."
            )
        checkpoint.check_own(self.checkpoints)
        record, state = self.workspace.record(self._job_name), checkpoint.latest(self.checkpoints)
        if self.record:
            self._check_weights(self.record)
        elif state:
            self._check_same(
                state.settings, self.all_settings, f"{self.model}{SCRATCH}", "the unfinished training in "
            )
            self._check_place()
        elif record and self.folder.is_dir() and not self._is_saving:
            self._check_weights(record)
            self._check_same(*self._finished(record), self.model)
        else:
            self._check_place()

    def mark_saving(self) -> None:
        """Mark the model's folder as this training's own, in case a kill comes before the record is written."""
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        (self.checkpoints / checkpoint.SAVING).touch()

    def check_plan(self, state: checkpoint.State, plan: str) -> None:
        """Raise BadSettings if a checkpoint was trained on other data than the file with the sha256 `plan`."""
        if state.plan != plan:
            raise BadSettings(
                f"the training data in {self.model}.checkpoint changed since the training began (did another "
                "version of duckdb or pyarrow write it?). Delete that folder to train from the start, or use "
                "another --name."
            )

    def pace(self) -> Pace | None:
        """Return the pace, in pairs, of the newest training here from the same initial model, or None."""
        for record in reversed(self.workspace.records("train")):
            same_kind = record.settings.get("kind") == self._settings["kind"]
            if same_kind and record.inputs.get("init") == self.start:
                facts = record.facts
                tokens = facts["tokens"] / facts["pairs"] if facts.get("tokens") else None
                return Pace(float(facts["pairs_per_second"]), tokens)
        return None

    def _check_weights(self, record: Record) -> None:
        if weights_sha256(self.folder) != record.facts["sha256"]:
            raise BadSettings(
                f"the weights in {self.model} changed after the training. "
                "Delete the folder, or use another --name."
            )

    @property
    def _is_saving(self) -> bool:
        return (self.checkpoints / checkpoint.SAVING).exists()

    def _check_place(self) -> None:
        if self.folder.exists() and not self._is_saving:
            raise BadSettings(f"{self.model} exists already and was not trained here. Use another --name.")

    def _check_same(self, theirs: dict[str, Any], ours: dict[str, Any], folder: str, what: str = "") -> None:
        if theirs.get("kind") != ours["kind"]:
            raise BadSettings(f"{what}{folder} is a {theirs.get('kind')}. Use another --name.")
        if different := self._different(theirs, ours):
            found = "; ".join(_difference(key, theirs.get(key), ours.get(key)) for key in different)
            raise StaleModel(
                f"{what}{folder} has other settings: {found}. Use the same settings, or another --name, or "
                f"delete {folder} to train from the start."
            )

    def _finished(self, record: Record) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the identity of a finished training, and ours in the form in which the two must agree."""
        theirs = _flat(record.settings, record.inputs)
        no_matter = ["attention", *(["dtype"] if self._any_dtype else [])]
        ours = {**_flat(self._own_settings, self._own_inputs), **{name: theirs.get(name) for name in no_matter}}
        return theirs, ours

    def _different(self, theirs: dict[str, Any], ours: dict[str, Any]) -> list[str]:
        """Return the keys in which two identities differ; None counts as a missing key."""
        different = [key for key in sorted({*ours, *theirs}) if ours.get(key) != theirs.get(key)]
        # The initial model's name does not matter if its files are the same.
        return different if f"{CONTENTS}init" in different else [key for key in different if key != "init"]


def _flat(settings: Any, inputs: Any) -> dict[str, Any]:
    return {**settings, **{f"{CONTENTS}{name}": value for name, value in inputs.items()}}


def _difference(key: str, theirs: Any, ours: Any) -> str:
    """Return in words what differs; contents are digests, so their values are not shown."""
    if key.startswith(CONTENTS):
        return f"the {key} changed"
    why = " (without cross-batch negatives, their number decides the negatives)" if key == "processes" else ""
    return f"{key} was {json.dumps(theirs)}, is {json.dumps(ours)}{why}"
