"""Cutoffs: named rows that turn probabilities into decisions. Changing them does not score anything again."""

import struct
from collections.abc import Mapping
from typing import Any

from curate.errors import BadSettings
from curate.jobs import Job, numbered
from curate.workspace import Workspace


def set_cutoffs(workspace: Workspace, name: str, **values: Any) -> dict[str, Any]:
    """Set `values` in the cutoffs called `name` and return the row in force; other values stay as they were.

    The former row stays in the table with its lower revision. Both cutoffs are rounded to float32 here and nowhere
    else. Raises BadSettings if the name is blank.
    """
    if not name.strip():
        raise BadSettings("cutoffs need a name")
    current = current_cutoffs(workspace, name)
    row = {"pseudo_positives": "best", **(current or {}), **_given(values), "name": name}
    if current == {**row, "revision": (current or {}).get("revision")}:
        return row
    row["revision"] = (current or {"revision": 0})["revision"] + 1
    job = Job(workspace, "cutoffs", numbered(workspace, "cutoffs"), row)
    job.write_rows("cutoffs", [row])
    job.finish()
    return row


def current_cutoffs(workspace: Workspace, name: str) -> dict[str, Any] | None:
    """Return the row in force under `name`, or None."""
    rows = workspace.select("workspace/current_cutoffs", name=name).to_dicts()
    return rows[0] if rows else None


def are_set(workspace: Workspace, name: str, **values: Any) -> bool:
    """Return whether the cutoffs `name` already have these values."""
    current = current_cutoffs(workspace, name) or {}
    return all(current.get(key) == value for key, value in _given(values).items())


def cutoffs_in_force(workspace: Workspace, name: str) -> dict[str, Any]:
    """Return the values of the cutoffs `name` and the fingerprint of their scorer.

    Raises BadSettings if there are no such cutoffs: an unscored candidate is never a negative.
    """
    rows = {row["name"]: row for row in workspace.select("workspace/cutoffs_in_force").to_dicts()}
    if name in rows:
        return rows[name]
    if rows:
        raise BadSettings(f"no cutoffs '{name}'; the cutoffs are: {', '.join(rows)}")
    raise BadSettings("no cutoffs yet: nothing was scored, and unscored is not negative. Run: curate denoise")


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _float32(value) for key, value in values.items() if value is not None}


def _float32(value: Any) -> Any:
    return struct.unpack("f", struct.pack("f", value))[0] if isinstance(value, float) else value
