"""Cutoffs: named rows that turn probabilities into decisions. Changing them does not score anything again."""

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack

from curate import judges
from curate.denoise.rank_scores import RANKS, ranks_here
from curate.denoise.score_checks import Scale, refuse_no_scale
from curate.errors import BadSettings, StepMissing, UnknownName
from curate.jobs import Job, numbered
from curate.models.folder import has_fingerprint, is_same_model
from curate.nearest import nearest
from curate.options import given_options
from curate.suggest import curate_command
from curate.workspace import Workspace

DECIDING = (
    "scorer_id",
    "depth",
    "negative_below",
    "positive_above",
    "pseudo_positives",
    "calibration_id",
    "joined",
    "judges",
    "enough",
    "duplicate_above",
)
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
    scorer: str | Sequence[str] | None
    """The scorer whose probabilities count, or several: the id, or the folder, of one that has scored here."""
    scorer_id: str | None
    """The same as an id, which is not looked up."""
    join: str | None
    """How several scorers are joined: `all`, `any` or `mean`."""
    pseudo_positives: str | None
    """`best` or `all`."""
    calibration: str | Sequence[str] | None
    """The calibration of the probabilities: an id, or `none` for the sigmoid of the logits. Of several scorers,
    each takes the one that is its own."""
    duplicate_above: float | None
    """A candidate that resembles a positive by more is a duplicate; 1: only an exact copy is."""
    enough: int | None
    """The hard negatives after which a query of a run over train needs no more scores; 0: it needs all of them."""


def set_cutoffs(workspace: Workspace, name: str, **options: Unpack[CutoffOptions]) -> dict[str, Any]:
    """Set values of the cutoffs called `name` and return the row in force. No model is needed.

    Values that are not given stay as they were. New cutoffs begin as a copy of the current ones, or of
    `curate.toml` if there are none. A calibration that the scorer got since then is taken, unless another one is
    given. The former row stays in the table with its lower revision. All values are rounded to float32 here and
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
    checked = ("depth", "negative_below", "positive_above", "duplicate_above", "enough")
    workspace.settings.denoise.override(**{key: row[key] for key in checked})
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
    """Return the values of the cutoffs `name`, or of the current ones, and the fingerprints of their scorers.

    Raises BadSettings if there are no such cutoffs: an unscored candidate is never a negative.
    """
    rows = every(workspace)
    current = current_cutoffs(workspace)
    if not current:
        raise StepMissing(NONE_YET, run=TO_SCORE)
    if name is not None and name not in rows:
        raise UnknownName(f"no cutoffs '{name}'; the cutoffs are: {', '.join(rows)}")
    row = rows[current["name"] if name is None else name]
    left_out = {*(() if judges.are_several(row) else judges.OF_SEVERAL), *(() if row["enough"] else ("enough",))}
    return {key: value for key, value in row.items() if key not in left_out}


def are_set(workspace: Workspace, name: str, **options: Unpack[CutoffOptions]) -> bool:
    """Return whether the cutoffs `name` already have these values."""
    return as_set(workspace, name, **options) == named_cutoffs(workspace, name)


def every(workspace: Workspace) -> dict[str, dict[str, Any]]:
    """Return name -> the row in force with its scorer's fingerprint."""
    return {row["name"]: row for row in workspace.select("workspace/cutoffs_in_force").to_dicts()}


def reads_resemblances(row: Mapping[str, Any] | None) -> bool:
    """Return whether near copies of positives are duplicates under the cutoffs `row`, not only exact ones."""
    return row is not None and row["duplicate_above"] < 1


def cutoffs_in_words(row: Mapping[str, Any], positive: str = "false negative") -> str:
    """Return what decides under the cutoffs `row`. positive: what a pair above the upper cutoff is called."""
    cuts = f"hard negative below {row['negative_below']:g}, {positive} above {row['positive_above']:g}"
    return f"{cuts}{near_copies_in_words(row)}"


def near_copies_in_words(row: Mapping[str, Any]) -> str:
    """Return from where on a near copy is a duplicate, to follow the other cutoffs; '' if none is."""
    return f", duplicate above {row['duplicate_above']:g}" if reads_resemblances(row) else ""


def scorer_settings(workspace: Workspace, row: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return each scorer of the cutoffs in `row` -> the keys of `[denoise]` that score by it: model and depth."""
    known = {scorer["model_id"]: scorer for scorer in _scorers(workspace)}
    own = ("max_length", "relevant_class", "instruction", "prompt", "backend")
    models = {
        name: {"scorer": known[name]["path"], **{key: known[name][key] for key in own}} if name in known else {}
        for name in judges.scorers(row)
    }
    return {name: {**model, "depth": row["depth"]} for name, model in models.items()}


def _row(workspace: Workspace, before: Mapping[str, Any] | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of cutoffs: the options and, for the rest, those `before`, or of the current cutoffs."""
    like = before or current_cutoffs(workspace)
    given = _given(workspace, options)
    asked, wanted, join = (given.pop(key, None) for key in ("calibration", "scorers", "join"))
    row = {**_start(workspace, like), **given}
    scorers = wanted or judges.scorers(row)
    if not all(scorers):
        raise StepMissing(NONE_YET, run=TO_SCORE)
    scales = _calibrations(workspace, scorers, asked, like)
    row["enough"] = row["enough"] or None
    return {**row, **_joined(scales, join or (row["joined"] if len(scorers) > 1 else None))}


def _joined(scales: Mapping[str, str | None], how: str | None) -> dict[str, Any]:
    """Return the values of cutoffs that say who judges: `scales`, scorer -> calibration, joined as `how` says."""
    if how is not None and how not in judges.JOINS:
        raise UnknownName(f"scorers are joined by one of {', '.join(judges.JOINS)}: {nearest(how, judges.JOINS)}")
    if len(scales) == 1:
        if how:
            raise BadSettings(
                f"join takes several scorers, and {next(iter(scales))} is one: --scorer MODEL --scorer MODEL"
            )
        ((scorer, calibration),) = scales.items()
        return {"scorer_id": scorer, "calibration_id": calibration, "joined": None, "judges": None}
    if how is None:
        meanings = "; ".join(f"{name}: {meaning}" for name, meaning in judges.JOINS.items())
        raise BadSettings(f"{len(scales)} scorers need --join all, any or mean ({meanings})")
    rows = [{"scorer_id": scorer, "calibration_id": scales[scorer]} for scorer in sorted(scales)]
    return {"scorer_id": None, "calibration_id": None, "joined": how, "judges": rows}


def _refuse_no_scale(workspace: Workspace, row: Mapping[str, Any]) -> None:
    """Raise StepMissing if the cutoffs in `row` mean nothing for a scorer, as far as its last run shows."""
    ranks = ranks_here(workspace)
    if not ranks.isdisjoint(judges.scorers(row)) and not judges.are_several(row):
        raise BadSettings(
            "ranks alone cannot denoise: something stands first for every query, relevant or not. Join them with "
            f"a model: --scorer MODEL --scorer {row['scorer_id']} --join mean"
        )
    for alone in judges.each(row):
        scorer = alone["scorer_id"]
        if alone["calibration_id"] is None and scorer in ranks:
            raise StepMissing(
                f"the scores of {scorer} are ranks, which are no probabilities. Learn which ones they stand for",
                run=curate_command("calibrate", "--ranks"),
            )
        scored = [record for record in workspace.records("denoise") if record.facts.get("scorer_id") == scorer]
        if scored and alone["calibration_id"] is None:
            run, depth = (scored[-1].settings[key] for key in ("run", "depth"))
            refuse_no_scale(Scale.of(workspace, run, {**alone, "depth": depth}), scorer, run)


def _calibrations(
    workspace: Workspace,
    scorers: Sequence[str],
    asked: str | Sequence[str] | None,
    like: Mapping[str, Any] | None,
) -> dict[str, str | None]:
    """Return each scorer -> its calibration that is asked for, or else the newest one; None: there is none.

    A scorer's own choice in `like` stays until the scorer is calibrated anew.
    """
    names = [asked] if isinstance(asked, str) else list(asked or ())
    if len(names) > len(scorers):
        raise BadSettings(f"more calibrations than scorers: {', '.join(names)} for {', '.join(scorers)}")
    own = {
        scorer: workspace.select("workspace/calibrations", scorer=scorer)["calibration_id"].to_list()
        for scorer in scorers
    }
    known = [UNCALIBRATED, *(name for of_scorer in own.values() for name in of_scorer)]
    for name in names:
        if name not in known:
            raise UnknownName(f"no calibration '{name}' of {' or '.join(scorers)}: {nearest(name, known)}")
    found = {}
    for scorer in scorers:
        given = [name for name in names if name in own[scorer]]
        if len(given) > 1:
            raise BadSettings(f"one calibration of {scorer} counts, and several are given: {', '.join(given)}")
        if given or UNCALIBRATED in names:
            found[scorer] = given[0] if given else None
        else:
            found[scorer] = _newest_calibration(workspace, scorer, like)
    return found


def calibration_to_set(workspace: Workspace, name: str, scorer: str) -> str | None:
    """Return the calibration that a scorer gets if the cutoffs `name` are set now."""
    return _newest_calibration(workspace, scorer, named_cutoffs(workspace, name) or current_cutoffs(workspace))


def _newest_calibration(workspace: Workspace, scorer: str, like: Mapping[str, Any] | None) -> str | None:
    before = judges.calibrations(like) if like else {}
    name = like["name"] if like and scorer in before else ""
    newest = workspace.select("workspace/newest_calibration", scorer=scorer, name=name).to_dicts()
    return str(newest[0]["calibration_id"]) if newest and newest[0]["is_newer"] else before.get(scorer)


def _start(workspace: Workspace, row: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the values of the cutoffs `row`, or those that the first cutoffs begin with."""
    if row:
        return {key: row[key] for key in DECIDING}
    settings = workspace.settings.denoise.model_dump(
        include={"depth", "negative_below", "positive_above", "duplicate_above"}
    )
    known = [row["model_id"] for row in _scorers(workspace) if row["role"] != RANKS]
    only = known[0] if len(known) == 1 else None
    return {key: _float32(value) for key, value in settings.items()} | {
        "scorer_id": only,
        "pseudo_positives": "best",
        "calibration_id": None,
        "joined": None,
        "judges": None,
        "enough": None,
    }


def _given(workspace: Workspace, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with the ids of the scorers that they name, as `scorers`."""
    given = given_options(CutoffOptions, options)
    named, scorer_id = given.pop("scorer", None), given.pop("scorer_id", None)
    wanted = [named] if isinstance(named, str) else list(named or ())
    scorers = [known_scorer(workspace, name) for name in wanted] or [scorer_id]
    twice = sorted({scorer for scorer in scorers if scorers.count(scorer) > 1})
    if twice:
        raise BadSettings(f"the scorer {twice[0]} is named twice; several scorers are different ones")
    return {key: _float32(value) for key, value in given.items()} | ({"scorers": scorers} if any(scorers) else {})


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
    if row["role"] == RANKS:
        return False
    return is_same_model(row["path"], name, root) or has_fingerprint(name, root, settings, row["fingerprint"])


def _scorers(workspace: Workspace) -> list[dict[str, Any]]:
    return workspace.select("workspace/scorers").to_dicts()


def _float32(value: Any) -> Any:
    return struct.unpack("f", struct.pack("f", value))[0] if isinstance(value, float) else value
