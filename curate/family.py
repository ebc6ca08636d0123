"""Scorers and retrievers of one family. A scorer prefers what its own family finds, so it flatters such a run."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from curate.denoise.rank_scores import RANKS
from curate.models.family import common_base, local_folder
from curate.models.folder import fingerprint, model_id
from curate.models.trained_here import training_of
from curate.workspace import Workspace


class Start(NamedTuple):
    """The model that a training began with."""

    name: str
    """Its id, which ends with 8 digits of the fingerprint."""
    fingerprint: str


class Kin(NamedTuple):
    """A scorer and an encoder of one family."""

    scorer: str
    encoder: str
    why: str
    """What shows it, and how sure that is."""


def kin(workspace: Workspace, run: str, scorers: Sequence[str]) -> list[Kin]:
    """Return the scorers that are of one family with an encoder that made the run."""
    encoders = workspace.select("workspace/encoders_of_run", run=run).to_dicts()
    if not encoders:
        return []
    known = {row["model_id"]: row for row in workspace.select("workspace/scorers").to_dicts()}
    pairs = [(known[scorer], encoder) for scorer in scorers if scorer in known for encoder in encoders]
    related = [(scorer, encoder, _relation(workspace, scorer, encoder)) for scorer, encoder in pairs]
    return [Kin(scorer["model_id"], encoder["model_id"], why) for scorer, encoder, why in related if why]


def warnings(workspace: Workspace, run: str, scorers: Sequence[str]) -> list[str]:
    """Return a warning for each scorer that measures a run and is of one family with its encoder."""
    return [
        f"{scorer}, which judges, and {encoder}, which made run {run}, are of one family ({why}). A scorer "
        "prefers what its own family finds, so that its figures may flatter this run. Compare it with a scorer of "
        "another family: curate report agreement"
        for scorer, encoder, why in kin(workspace, run, scorers)
    ]


def _relation(workspace: Workspace, scorer: Mapping[str, Any], encoder: Mapping[str, Any]) -> str | None:
    """Return what shows that two models, rows with a path, are of one family, and how sure it is; else None."""
    if scorer["role"] == RANKS:
        own = encoder["model_id"] in json.loads(scorer["settings"])["encoders"]
        return "certain: the scores are ranks by this encoder" if own else None
    paths = [scorer["path"], encoder["path"]]
    starts = [list(_starts(workspace, path)) for path in paths]
    both = [start for start in starts[0] if start in starts[1]]
    if both:
        return f"certain: both were trained here from {both[0].name}"
    folders = [local_folder(path, workspace.root) for path in paths]
    if folders[1] and any(_is(folders[1], start) for start in starts[0]):
        return "certain: the scorer was trained here from this encoder"
    if folders[0] and folders[1]:
        return common_base(folders[0], folders[1])
    return None


def _starts(workspace: Workspace, path: str) -> Iterator[Start]:
    """Yield the model from which a model was trained here, and from which that one was, and so on."""
    inside, _, name = path.removeprefix("./").rstrip("/").partition("/")
    if inside != "models":
        return
    record = workspace.record(training_of(name)) or workspace.record(training_of(f"{name}/fold-1"))
    if record is None or "init" not in record.inputs:
        return
    start = Start(record.settings["init"], record.inputs["init"])
    yield start
    parent = workspace.root / "models" / start.name.rpartition("-")[0]
    if parent.is_dir() and parent.name != name and _is(parent, start):
        yield from _starts(workspace, f"models/{parent.name}")


def _is(folder: Path, start: Start) -> bool:
    """Return whether a training began with the model in `folder`. Its files are only read if the name is right."""
    named = model_id(folder, "").rstrip("-") == start.name.rpartition("-")[0]
    return named and fingerprint(folder, {}) == start.fingerprint
