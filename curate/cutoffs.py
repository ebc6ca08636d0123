"""Cutoffs: named rows that turn probabilities into decisions. Changing them does not score anything again."""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict, Unpack

from curate.denoise.score_checks import Scale, refuse_no_scale
from curate.errors import BadSettings, StepMissing, UnknownName
from curate.jobs import Job, numbered
from curate.models.folder import has_fingerprint, is_same_model
from curate.nearest import nearest
from curate.options import given_options
from curate.workspace import Workspace

DECIDING = ("scorer_id", "depth", "negative_below", "positive_above", "pseudo_positives", "calibration_id")
UNCALIBRATED = "none"
NONE_YET = "no cutoffs yet: nothing was scored, and unscored is not negative"
TO_SCORE = "curate denoise --scorer MODEL"


class CutoffOptions(TypedDict, total=False):
    """The values of cutoffs. None means that the value is not given."""

    negative_below: float | None
    """A hard negative has a probability below it."""
    positive_above: float | None
    """A false negative has a probability above it."""
    depth: int | None
    """The top-k that is judged."""
    scorer: str | None
    """The scorer whose probabilities count: the id, or the folder, of one that has scored here."""
    scorer_id: str | None
    """The same as an id, which is not looked up."""
    pseudo_positives: str | None
    """`best` or `all`."""
    calibration: str | None
    """The calibration of the probabilities: an id, or `none` for the sigmoid of the logits."""


def set_cutoffs(workspace: Workspace, name: str, **options: Unpack[CutoffOptions]) -> dict[str, Any]:
    """Set values of the cutoffs called `name` and return the row in force. No model is needed.

    Values that are not given stay as they were. New cutoffs begin as a copy of the current ones, or of
    `curate.toml` if there are none. A calibration that the scorer got since then is taken, unless another one is
    given. The former row stays in the table with its lower revision. Both cutoffs are rounded to float32 here and
    nowhere else. Raises BadSettings for a blank name, an unknown scorer or calibration, or a value out of range.
    """
    if not name.strip():
        raise BadSettings("cutoffs need a name")
    row = as_set(workspace, name, **options)
    if row == named_cutoffs(workspace, name):
        return row
    _refuse_no_scale(workspace, row)
    job = Job(workspace, "cutoffs", numbered(workspace, "cutoffs"), row)
    job.write_rows("cutoffs", [row])
    job.finish()
    return row


def as_set(workspace: Workspace, name: str, **options: Unpack[CutoffOptions]) -> dict[str, Any]:
    """Return the row that `set_cutoffs` with these arguments would put in force; raises BadSettings as it does."""
    before = named_cutoffs(workspace, name)
    row = _row(workspace, before, options)
    workspace.settings.denoise.override(**{key: row[key] for key in ("depth", "negative_below", "positive_above")})
    if before and all(before[key] == row[key] for key in DECIDING):
        return before
    return {**row, "name": name, "revision": (before or {"revision": 0})["revision"] + 1}


def named_cutoffs(workspace: Workspace, name: str) -> dict[str, Any] | None:
    """Return the row in force under `name`, or None."""
    rows = every(workspace)
    return {key: rows[name][key] for key in ("name", "revision", *DECIDING)} if name in rows else None


def current_cutoffs(workspace: Workspace) -> dict[str, Any] | None:
    """Return the row of the current cutoffs, or None; `because` says why they are current."""
    rows = workspace.select("workspace/current_cutoffs").to_dicts()
    return rows[0] if rows else None


def chosen_cutoffs(workspace: Workspace, name: str | None) -> str:
    """Return `name`, or the name of the current cutoffs if it is None; raises BadSettings if there are none."""
    return str(cutoffs_in_force(workspace, name)["name"])


def cutoffs_in_force(workspace: Workspace, name: str | None) -> dict[str, Any]:
    """Return the values of the cutoffs `name`, or of the current ones, and the fingerprint of their scorer.

    Raises BadSettings if there are no such cutoffs: an unscored candidate is never a negative.
    """
    rows = every(workspace)
    current = current_cutoffs(workspace)
    if not current:
        raise StepMissing(NONE_YET, run=TO_SCORE)
    if name is not None and name not in rows:
        raise UnknownName(f"no cutoffs '{name}'; the cutoffs are: {', '.join(rows)}")
    return rows[current["name"] if name is None else name]


def are_set(workspace: Workspace, name: str, **options: Unpack[CutoffOptions]) -> bool:
    """Return whether the cutoffs `name` already have these values."""
    return as_set(workspace, name, **options) == named_cutoffs(workspace, name)


def every(workspace: Workspace) -> dict[str, dict[str, Any]]:
    """Return name -> the row in force with its scorer's fingerprint."""
    return {row["name"]: row for row in workspace.select("workspace/cutoffs_in_force").to_dicts()}


def scorer_settings(workspace: Workspace, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of `[denoise]` that score as the cutoffs in `row` ask: model and depth."""
    known = [scorer for scorer in _scorers(workspace) if scorer["model_id"] == row["scorer_id"]]
    own = ("max_length", "relevant_class", "instruction", "prompt")
    model = {"scorer": known[0]["path"], **{key: known[0][key] for key in own}} if known else {}
    return {**model, "depth": row["depth"]}


def _row(workspace: Workspace, before: Mapping[str, Any] | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of cutoffs: the options and, for the rest, those `before`, or of the current cutoffs."""
    like = before or current_cutoffs(workspace)
    given = _given(workspace, options)
    asked = given.pop("calibration", None)
    row = {**_start(workspace, like), **given}
    if not row.get("scorer_id"):
        raise StepMissing(NONE_YET, run=TO_SCORE)
    row["calibration_id"] = _calibration(workspace, row["scorer_id"], asked, like)
    return row


def _refuse_no_scale(workspace: Workspace, row: Mapping[str, Any]) -> None:
    """Raise StepMissing if the cutoffs in `row` mean nothing, as far as the run shows that was scored last."""
    if row["calibration_id"] is not None:
        return
    for record in reversed(workspace.records("denoise")):
        if record.facts.get("scorer_id") == row["scorer_id"]:
            run, depth = record.settings["run"], record.settings["depth"]
            refuse_no_scale(Scale.of(workspace, run, {**row, "depth": depth}), row["scorer_id"], run)
            return


def _calibration(
    workspace: Workspace, scorer_id: str, asked: str | None, like: Mapping[str, Any] | None
) -> str | None:
    """Return the id of the calibration that is asked for, or else of the newest one; None: there is none.

    A scorer's own choice in `like` stays until the scorer is calibrated anew.
    """
    if asked is not None:
        found = workspace.select("workspace/calibrations", scorer=scorer_id)["calibration_id"].to_list()
        known = [UNCALIBRATED, *found]
        if asked not in known:
            raise UnknownName(f"no calibration '{asked}' of {scorer_id}: {nearest(asked, known)}")
        return None if asked == UNCALIBRATED else asked
    same = like if like and like["scorer_id"] == scorer_id else None
    name = same["name"] if same else ""
    newest = workspace.select("workspace/newest_calibration", scorer=scorer_id, name=name).to_dicts()
    if newest and newest[0]["is_newer"]:
        return str(newest[0]["calibration_id"])
    return same["calibration_id"] if same else None


def _start(workspace: Workspace, row: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the values of the cutoffs `row`, or those that the first cutoffs begin with."""
    if row:
        return {key: row[key] for key in DECIDING}
    settings = workspace.settings.denoise.model_dump(include={"depth", "negative_below", "positive_above"})
    known = _scorers(workspace)
    only = known[0]["model_id"] if len(known) == 1 else None
    return {key: _float32(value) for key, value in settings.items()} | {
        "scorer_id": only,
        "pseudo_positives": "best",
        "calibration_id": None,
    }


def _given(workspace: Workspace, options: Mapping[str, Any]) -> dict[str, Any]:
    given = given_options(CutoffOptions, options)
    scorer = given.pop("scorer", None)
    if scorer is not None:
        given["scorer_id"] = known_scorer(workspace, scorer)
    return {key: _float32(value) for key, value in given.items()}


def known_scorer(workspace: Workspace, wanted: str) -> str:
    """Return the id of a scorer that has scored here, by its id or its folder; raises UnknownName otherwise."""
    rows = _scorers(workspace)
    by_id = [row["model_id"] for row in rows if row["model_id"] == wanted]
    found = by_id or [row["model_id"] for row in rows if _is_in(row, wanted, workspace.root)]
    if len(found) == 1:
        return str(found[0])
    if found:
        raise BadSettings(f"several scorers were read from '{wanted}'; give the id of one: {', '.join(found)}")
    near = nearest(wanted, [row["model_id"] for row in rows])
    raise UnknownName(f"no scorer '{wanted}' has scored here: {near} To score with it: curate denoise --scorer")


def _is_in(row: Mapping[str, Any], name: str, root: Path) -> bool:
    """Return whether a scorer was read from the folder `name`, or has the files that are in it."""
    settings = json.loads(row["settings"])
    return is_same_model(row["path"], name, root) or has_fingerprint(name, root, settings, row["fingerprint"])


def _scorers(workspace: Workspace) -> list[dict[str, Any]]:
    return workspace.select("workspace/scorers").to_dicts()


def _float32(value: Any) -> Any:
    return struct.unpack("f", struct.pack("f", value))[0] if isinstance(value, float) else value
