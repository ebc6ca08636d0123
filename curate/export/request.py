"""What one export is: its settings, resolved, and the digests of what it reads. Equal requests, equal bytes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from curate.choose_run import training_runs
from curate.cutoffs import judging_cutoffs
from curate.errors import BadSettings
from curate.export.formats import Format, named
from curate.jobs import Job, table_digest
from curate.shards import digest
from curate.workspace import Workspace

NAME = re.compile(r"(?!\.)[A-Za-z0-9._-]{1,100}")


@dataclass(frozen=True)
class Request:
    """One training set, asked for."""

    workspace: Workspace
    name: str
    format: Format
    settings: Mapping[str, Any]
    """What decides the rows: format, runs, cutoffs with their values, negatives, promote, augmented, seed."""

    @property
    def target(self) -> Path:
        """The folder that is made."""
        return self.workspace.root / "exports" / self.name

    @property
    def staging(self) -> Path:
        """Where it grows: a folder for these very settings and inputs, so that nothing old gets in."""
        return self.workshop / self.job.job

    @property
    def workshop(self) -> Path:
        """The folder of all that is unfinished, or being replaced, under this name."""
        return self.workspace.root / "exports" / ".unfinished" / self.name

    @cached_property
    def inputs(self) -> dict[str, str]:
        """Name of what is read -> its digest."""
        tables = ("passages", "queries", "qrels", "annotations", "scores")
        return {
            **{table: table_digest(self.workspace, table) for table in tables},
            "candidates": table_digest(self.workspace, "candidates", of_jobs=self.settings["runs"]),
        }

    @cached_property
    def job(self) -> Job:
        """The job that makes it."""
        print_ = digest(self.settings, self.inputs)[:8]
        return Job(self.workspace, "export", f"export-{self.name}-{print_}", self.settings, self.inputs)

    @property
    def parameters(self) -> dict[str, Any]:
        """What the SQL of the stage may bind."""
        keys = ("runs", "negatives", "promote", "augmented", "seed")
        return {"cutoffs": self.settings["cutoffs"]["name"], **{key: self.settings[key] for key in keys}}


def request(
    workspace: Workspace,
    *,
    name: str | None = None,
    run: list[str] | None = None,
    cutoffs: str = "default",
    seed: int | None = None,
    **options: Any,
) -> Request:
    """Return the request that the options make together with `curate.toml`; raises BadSettings."""
    chosen = workspace.settings.export.override(**options)
    form = named(chosen.format)
    name = _folder_name(name or form.name)
    settings = {
        "format": form.name,
        "runs": training_runs(workspace, run, augmented=chosen.augmented),
        "cutoffs": judging_cutoffs(workspace, cutoffs),
        "negatives": chosen.negatives,
        "promote": chosen.promote,
        "augmented": chosen.augmented,
        "seed": workspace.settings.seed if seed is None else seed,
    }
    return Request(workspace, name, form, settings)


def _folder_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise BadSettings(
            f"'{name}' is no name for a folder below exports/: give 1 to 100 letters (A to Z), digits, '.', '_' "
            "and '-', not beginning with a dot"
        )
    return name
