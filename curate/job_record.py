"""The record of a completed job. It makes the job's shards count and documents the lineage of its rows.

A record is written twice, so that damage to one of the two is found and mended:

    tables/stages/<job>.json          makes the job count
    tables/record-copies/<job>.json   written after it; `curate rebuild` restores one from the other

The numbers of the records run 1, 2, ... without a gap, so that a record is missed even if both its files are gone.
A record that is given up, or replaced by one with a later number, leaves one of the stage `forgotten` behind.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from curate import __version__
from curate.errors import Damaged
from curate.shards import Shard, Signature, canonical, once, read_json, write_json

COPIES = "record-copies"
FORGOTTEN = "forgotten"
NAMED = 5  # missing numbers that a message names
_READ: dict[Path, "tuple[Signature, Record]"] = {}


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


def outputs(root: Path, records: Iterable[Record]) -> list[Shard]:
    """Return the files that records name, in the workspace `root`."""
    return [Shard(root / name, sha256) for record in records for name, sha256 in sorted(record.outputs.items())]


def places(stages: Path, job: str) -> tuple[Path, Path]:
    """Return the paths of a job's record and of its copy in the folder `stages`."""
    return stages / f"{job}.json", stages.with_name(COPIES) / f"{job}.json"


def recorded_jobs(stages: Path) -> list[str]:
    """Return the names of all jobs that have a record or the copy of one, sorted."""
    return sorted(_named(stages) | _named(stages.with_name(COPIES)))


def without_copy(stages: Path) -> set[str]:
    """Return the names of the jobs whose record has no copy."""
    return _named(stages) - _named(stages.with_name(COPIES))


def _named(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.json")}


def missing_numbers(records: Iterable[Record]) -> list[int]:
    """Return the numbers below the highest one that no record has, ascending."""
    numbers = {record.number for record in records}
    return sorted(set(range(1, max(numbers, default=0))) - numbers)


def forgotten(number: int, job: str | None = None) -> Record:
    """Return the record that stands for one that is given up or replaced: its number stays taken."""
    return Record(
        job=f"{FORGOTTEN}-{number:05d}",
        stage=FORGOTTEN,
        number=number,
        settings={"job": job},
        inputs={},
        outputs={},
        facts={},
        version=__version__,
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=0.0,
    )


def read_record(path: Path) -> Record:
    """Return the record in a file; raises Damaged if the file is missing or not the record that was written.

    A process reads a record once, as long as the file stays as it is.
    """
    return once(_READ, path, _read)


def _read(path: Path) -> Record:
    try:
        record = Record(**read_json(path))
    except FileNotFoundError as error:
        raise Damaged(
            f"{path} is missing: it is the record of a job, without which the job's rows do not count",
            run="curate rebuild",
        ) from error
    except (ValueError, TypeError) as error:
        raise Damaged(f"{path} is not the record of a job: {error}", run="curate rebuild") from error
    if record.job != path.stem:
        raise Damaged(f"{path} is the record of another job, {record.job}", run="curate rebuild")
    return record


def read_any(stages: Path, job: str) -> Record | None:
    """Return a job's record, or its copy if the record is damaged, or None if both are."""
    for path in places(stages, job):
        with suppress(Damaged):
            return read_record(path)
    return None


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
            f"{stages / job}.json and its copy in tables/{COPIES}/ are both damaged. Restore one of them from "
            "a backup and run: curate rebuild"
        )
    if found[0] != found[1]:
        whole[0].write(stages)
    return len(whole) == 1
