"""The record of a completed job. It makes the job's shards count and documents the lineage of its rows.

A record is written twice, so that damage to one of the two is found and mended:

    tables/stages/<job>.json          makes the job count
    tables/stages/copies/<job>.json   written after it; `curate rebuild` restores one from the other
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from curate.errors import Damaged
from curate.shards import canonical, read_json, write_json

COPIES = "copies"


@dataclass(frozen=True)
class Record:
    """The contents of `tables/stages/<job>.json`, which describes a completed job."""

    job: str
    stage: str
    number: int
    """The place of the job in the order in which jobs finished: 1, 2, ... A job that is made again keeps it."""
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

    def write(self, stages: Path) -> None:
        """Write the record and then its copy to the folder `stages`."""
        for path in places(stages, self.job):
            write_json(path, asdict(self))


def places(stages: Path, job: str) -> tuple[Path, Path]:
    """Return the paths of a job's record and of its copy in the folder `stages`."""
    return stages / f"{job}.json", stages / COPIES / f"{job}.json"


def recorded_jobs(stages: Path) -> list[str]:
    """Return the names of all jobs that have a record or the copy of one, sorted."""
    return sorted({path.stem for folder in (stages, stages / COPIES) for path in folder.glob("*.json")})


def read_record(path: Path) -> Record:
    """Return the record in a file; raises Damaged if the file is missing or not the record that was written."""
    try:
        record = Record(**read_json(path))
    except FileNotFoundError as error:
        raise Damaged(
            f"{path} is missing: it is the record of a job, without which the job's rows do not count. "
            "Run: curate rebuild"
        ) from error
    except (ValueError, TypeError) as error:
        raise Damaged(f"{path} is not the record of a job: {error}. Run: curate rebuild") from error
    if record.job != path.stem:
        raise Damaged(f"{path} is the record of another job, {record.job}. Run: curate rebuild")
    return record


def restore_record(stages: Path, job: str) -> bool:
    """Make a job's record and its copy equal again; return whether one of them was damaged or missing.

    Raises Damaged if neither of them is whole.
    """
    found: list[Record | Damaged] = []
    for path in places(stages, job):
        try:
            found.append(read_record(path))
        except Damaged as error:
            found.append(error)
    whole = [record for record in found if isinstance(record, Record)]
    if not whole:
        raise Damaged(
            f"{stages / job}.json and its copy in {COPIES}/ are both damaged. Restore one of them from a backup, "
            "then run: curate rebuild"
        )
    if found[0] != found[1]:
        whole[0].write(stages)
    return len(whole) == 1
