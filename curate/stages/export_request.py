"""What one export is: its settings, resolved, and the digests of what it reads. Equal requests, equal bytes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from curate import relations
from curate.errors import BadSettings
from curate.formats import Format, named
from curate.jobs import Job, table_digest
from curate.runs import chosen_run
from curate.shards import Manifest, digest
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
        runs = set(self.settings["runs"])
        shards = [path for path in self.workspace.shards("candidates") if path.parent.name in runs]
        tables = ("passages", "queries", "qrels", "annotations", "scores")
        return {
            **{table: table_digest(self.workspace, table) for table in tables},
            "candidates": digest([made.sha256 for path in shards if (made := Manifest.read(path))]),
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
        "runs": _runs(workspace, run, chosen.augmented),
        "cutoffs": _cutoffs(workspace, cutoffs),
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


def _runs(workspace: Workspace, asked: list[str] | None, augmented: bool) -> list[str]:
    """Return the runs that are asked for, or the newest over `train` and, if augmented, over `unlabeled`."""
    wanted: list[str | None] = [*asked] if asked else [None]
    chosen = [chosen_run(workspace, run) for run in wanted]
    of = {row["run_id"]: row["split"] for row in _newest_first(workspace)}
    wrong = [run for run in chosen if of[run] not in ("train", "unlabeled")]
    if wrong:
        raise BadSettings(f"run '{wrong[0]}' is over {of[wrong[0]]}: dev and test questions never train")
    if not augmented and all(of[run] == "unlabeled" for run in chosen):
        raise BadSettings(
            f"run '{chosen[0]}' is over questions without labels, which --no-augmented leaves out: "
            "nothing is left. Give a run over train, or leave out --no-augmented"
        )
    if augmented and not asked:
        chosen += [run for run in of if of[run] == "unlabeled"][:1]
    return sorted(set(chosen))


def _newest_first(workspace: Workspace) -> list[dict[str, Any]]:
    return workspace.sql(relations.sql("stages", "runs_newest_first")).to_dicts()


def _cutoffs(workspace: Workspace, name: str) -> dict[str, Any]:
    """Return the values of the cutoffs and the fingerprint of the scorer that they judge."""
    rows = {row["name"]: row for row in workspace.sql(relations.sql("stages", "export_cutoffs")).to_dicts()}
    if name in rows:
        return rows[name]
    if rows:
        raise BadSettings(f"no cutoffs '{name}'; there are: {', '.join(rows)}")
    raise BadSettings("no cutoffs yet: nothing was scored, and unscored is not negative. Run: curate denoise")
