"""The record of a job that is complete: it makes the job's shards count, and it is the lineage of its rows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.errors import CurateError
from curate.shards import canonical


@dataclass(frozen=True)
class Record:
    """What stands in `tables/stages/<job>.json`: a job that is complete."""

    job: str
    stage: str
    number: int
    """1, 2, ...: in the order in which the jobs were finished."""
    settings: Mapping[str, Any]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    """File below the workspace -> sha256."""
    facts: Mapping[str, Any]
    """What the stage counted."""
    version: str
    finished_at: str
    seconds: float

    def row(self) -> tuple[Any, ...]:
        """Return the record as a row of the table `stages`."""
        return tuple(canonical(value) if isinstance(value, Mapping) else value for value in vars(self).values())


def read_record(path: Path) -> Record:
    """Return the record in a file; raises CurateError when it is none."""
    try:
        return Record(**json.loads(path.read_text("utf-8")))
    except (ValueError, TypeError) as error:
        raise CurateError(
            f"{path} is no record of a stage: {error}. Restore it from a backup: without it the job's rows "
            "do not count."
        ) from error
