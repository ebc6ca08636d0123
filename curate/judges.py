"""The scorers that decide under cutoffs: one, or several whose probabilities are joined.

The row of such cutoffs has `joined` and `judges`. Its `scorer_id` is None, so that nothing takes one for all.
"""

from collections.abc import Mapping
from typing import Any

from curate.errors import BadSettings

Row = Mapping[str, Any]
JOINS = {
    "all": "beyond a cutoff only if all of them are",
    "any": "beyond a cutoff if one of them is and none is beyond the other",
    "mean": "the mean of their probabilities",
}
"""How several scorers are joined, and what that means (sql/macros/joined_probability.sql)."""
OF_SEVERAL = ("joined", "judges", "judge_fingerprints")
"""Values of cutoffs that those of one scorer do not need."""


def are_several(row: Row) -> bool:
    """Return whether several scorers decide under the cutoffs `row`."""
    return bool(row.get("joined"))


def scorers(row: Row) -> list[str]:
    """Return the ids of the scorers that decide."""
    return list(calibrations(row))


def calibrations(row: Row) -> dict[str, str | None]:
    """Return the id of each scorer that decides -> the id of its calibration; None: the sigmoid of its logits."""
    if are_several(row):
        return {judge["scorer_id"]: judge["calibration_id"] for judge in row["judges"]}
    return {row["scorer_id"]: row.get("calibration_id")}


def each(row: Row) -> list[dict[str, Any]]:
    """Return the cutoffs `row` as they would be if each of the scorers decided alone."""
    alone = {**row, "joined": None, "judges": None}
    return [
        {**alone, "scorer_id": scorer, "calibration_id": calibration}
        for scorer, calibration in calibrations(row).items()
    ]


def fingerprints(row: Row) -> list[str | None]:
    """Return the fingerprints of the scorers, in the order of `scorers`; None if a scorer is not known here."""
    return list(row["judge_fingerprints"]) if are_several(row) else [row["scorer_fingerprint"]]


def in_words(row: Row) -> str:
    """Return which scorers decide, and how they are joined."""
    names = _listed(scorers(row))
    return f"{row['joined']} of {names}" if are_several(row) else names


def scale_in_words(row: Row) -> str:
    """Return which calibrations the probabilities have; empty if they have none."""
    if not are_several(row):
        return f"calibrated by {row['calibration_id']}" if row["calibration_id"] else ""
    known = [f"{scorer} calibrated by {name}" for scorer, name in calibrations(row).items() if name]
    return _listed(known)


def only_one(row: Row, what: str, instead: str) -> str:
    """Return the id of the only scorer; raises BadSettings, naming them, if there are several.

    what: what takes one scorer, as the start of a sentence. instead: what to do, as a sentence.
    """
    if are_several(row):
        raise BadSettings(f"{what}, but the cutoffs '{row['name']}' join {_listed(scorers(row))}. {instead}")
    return str(row["scorer_id"])


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
