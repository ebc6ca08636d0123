"""A request for an export: resolved settings, and digests of the inputs. Equal requests give equal bytes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypedDict, Unpack

from curate import standing
from curate.choose_run import training_runs
from curate.cutoffs import cutoffs_in_force, reads_resemblances
from curate.errors import BadSettings
from curate.export.formats import Format, format_named
from curate.jobs import Job, table_digest
from curate.options import given_options
from curate.shards import digest
from curate.training_set import DEFINITION, TrainingSet
from curate.workspace import Workspace

NAME = re.compile(r"(?!\.)[A-Za-z0-9._-]{1,100}")


class ExportOptions(TypedDict, total=False):
    """The options of `export`: the fields of `curate.config.Export` and these. None is the same as not given."""

    name: str | None
    """The folder below `exports/`; by default the format's name."""
    run: Sequence[str] | None
    """Ids of runs; by default the current one over train and, if augmented, over unlabeled."""
    cutoffs: str | None
    """The name of the cutoffs to decide by; by default the current ones."""
    seed: int | None
    """The seed for drawing negatives; by default the workspace's."""
    format: str | None
    positives: int | None
    negatives: int | None
    promote: bool | None
    augmented: bool | None


@dataclass(frozen=True)
class ExportRequest:
    """A request for one training set."""

    workspace: Workspace
    name: str
    format: Format
    settings: Mapping[str, Any]
    """What fixes the rows: format, runs, cutoffs with their values, both limits, promote, augmented and seed."""
    named_run: bool = True
    named_cutoffs: bool = True
    """Whether the caller named runs and cutoffs; otherwise they are the current ones."""

    @classmethod
    def of(cls, workspace: Workspace, **options: Unpack[ExportOptions]) -> "ExportRequest":
        """Return the request for these options and `curate.toml`. Raises BadSettings for an invalid option."""
        given = given_options(ExportOptions, options)
        name, run, seed = given.pop("name", None), given.pop("run", None), given.pop("seed", None)
        cutoffs = given.pop("cutoffs", None)
        chosen = workspace.settings.export.override(**given)
        form = format_named(chosen.format)
        settings = {
            "training_set": DEFINITION,
            "format": form.name,
            "runs": training_runs(workspace, run, augmented=chosen.augmented),
            "cutoffs": cutoffs_in_force(workspace, cutoffs),
            "positives": chosen.positives,
            "negatives": chosen.negatives,
            "promote": chosen.promote,
            "augmented": chosen.augmented,
            "seed": workspace.settings.seed if seed is None else seed,
        }
        return cls(workspace, _folder_name(name or form.name), form, settings, bool(run), cutoffs is not None)

    @property
    def notes(self) -> list[str]:
        """Which runs and cutoffs are used if nobody named them, and what the runs lack."""
        return standing.notes(
            self.workspace,
            self.settings["runs"],
            self.settings["cutoffs"]["name"],
            named_run=self.named_run,
            named_cutoffs=self.named_cutoffs,
        )

    @property
    def target(self) -> Path:
        """The folder of the finished export."""
        return self.workspace.root / "exports" / self.name

    @property
    def staging(self) -> Path:
        """The folder of the unfinished export. Its name depends on settings and inputs, so no old file gets in."""
        return self.workshop / self.job.name

    @property
    def workshop(self) -> Path:
        """The folder for everything under this name that is unfinished or being replaced."""
        return self.workspace.root / "exports" / ".unfinished" / self.name

    @cached_property
    def inputs(self) -> dict[str, str]:
        """Input table -> its digest."""
        tables = ["passages", "queries", "qrels", "annotations", "claims", "scores"]
        if reads_resemblances(self.settings["cutoffs"]):
            tables.append("resemblances")
        return {
            **{table: table_digest(self.workspace, table) for table in tables},
            "candidates": table_digest(self.workspace, "candidates", of_jobs=self.settings["runs"]),
        }

    @cached_property
    def job(self) -> Job:
        """The job that makes the export."""
        print_ = digest(self.settings, self.inputs)[:8]
        return Job(self.workspace, "export", f"export-{self.name}-{print_}", self.settings, self.inputs)

    @property
    def training_set(self) -> TrainingSet:
        """The training set to be written."""
        keys = ("runs", "promote", "augmented", "seed")
        return TrainingSet(cutoffs=self.settings["cutoffs"]["name"], **{key: self.settings[key] for key in keys})

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the queries in `sql/export`."""
        limits = {key: self.settings[key] for key in ("positives", "negatives")}
        return {**self.training_set.parameters, **limits}


def _folder_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise BadSettings(
            f"'{name}' is not a valid folder name below exports/. Give 1 to 100 letters (A to Z), digits, '.', "
            "'_' and '-', without a dot at the beginning"
        )
    return name
