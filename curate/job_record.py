"""The record of a completed job. It makes the job's shards count and documents the lineage of its rows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.errors import CurateError
from curate.shards import canonical


@dataclass(frozen=True)
class Record:
    """The contents of `tables/stages/<job>.json`, which describes a completed job."""

    job: str
    stage: str
    number: int
    """The place of the job in the order in which jobs finished: 1, 2, ..."""
    settings: Mapping[str, Any]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    """Path below the workspace -> sha256 of the file."""
    facts: Mapping[str, Any]
    """Figures that the stage recorded."""
    version: str
    finished_at: str
    seconds: float

    def row(self) -> tuple[Any, ...]:
        """Return the record as a row of the table `stages`."""
        return tuple(canonical(value) if isinstance(value, Mapping) else value for value in vars(self).values())


def read_record(path: Path) -> Record:
    """Return the record in a file; raises CurateError if the file does not hold one."""
    try:
        return Record(**json.loads(path.read_text("utf-8")))
    except (ValueError, TypeError) as error:
        raise CurateError(
            f"{path} is not the record of a job: {error}. Restore it from a backup: without it the job's rows "
            "do not count."
        ) from error
