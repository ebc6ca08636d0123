"""Jobs whose record and its copy are both gone: what the rest of the workspace still says about them.

A lost load is the dangerous case: without its labels, test questions would train. So a lost job counts as a load
unless something says what it was.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from curate.job_record import COPIES, FORGOTTEN, Record, missing_numbers, recorded_jobs
from curate.shards import Manifest
from curate.suggest import curate_command

FOLDERS = f"tables/stages and tables/{COPIES}"
LOAD = "load"


@dataclass(frozen=True)
class Lost:
    """What is known of the lost jobs of a workspace. Nothing says which number belongs to which job."""

    numbers: list[int]
    """The numbers that no record has, ascending."""
    jobs: list[str]
    """The jobs that have shards, or a record that cannot be read, and the loads that must have been; sorted."""
    loads: list[str]
    """Those of `jobs` that are loads, or may be."""
    unknown: bool
    """Whether there are more lost numbers than `jobs`."""

    @classmethod
    def of(cls, root: Path, records: list[Record]) -> "Lost":
        """Return what is known in the workspace `root`, given the records that can be read."""
        recorded = {record.job for record in records}
        folders = {path.name for path in root.glob("tables/*/*") if path.is_dir()}
        left = (folders | set(recorded_jobs(root / "tables" / "stages"))) - recorded
        loads = {job for job in left if _may_be_load(root, job)}
        loads |= _missing_loads(recorded | loads, needed=any(record.stage == "mine" for record in records))
        numbers = missing_numbers(records)
        given_up = sum(record.stage == FORGOTTEN and not record.settings["job"] for record in records)
        jobs = left | loads
        return cls(numbers, sorted(jobs), sorted(loads), len(jobs) < len(numbers) + given_up)

    @property
    def forgettable(self) -> bool:
        """Whether something says that no lost job was a load."""
        return not self.loads and not self.unknown

    def text(self, number: int) -> str:
        """Return what is known of the job with a lost number, and what to do."""
        said = f"the record number {number} and its copy are gone: "
        again = curate_command("rebuild", "--forget", number)
        if self.loads:
            return (
                f"{said}it may be that of {self.loads[0]}. A load cannot be forgotten: later jobs refer to its "
                f"passages and queries, and test questions would train without its labels. Restore {FOLDERS} from "
                "a backup, or load everything into a new workspace"
            )
        if self.unknown:
            return (
                f"{said}nothing says which job it was. Restore {FOLDERS} from a backup. Only if you know that it "
                f"was no load, without which test questions would train, go on without it: {again} --yes"
            )
        return (
            f"{said}it must be that of {' or '.join(self.jobs)}. Restore {FOLDERS} from a backup, or go on "
            f"without it: {again}"
        )


def _may_be_load(root: Path, job: str) -> bool:
    """Return whether the manifests of a job's shards say that it is a load, or nothing but its name does."""
    beside = root.glob(f"tables/*/{job}/*.parquet.json")
    manifests = (Manifest.read(path.with_suffix("")) for path in beside)
    stages = {manifest.lineage.stage for manifest in manifests if manifest}
    return LOAD in stages if stages else job.startswith(f"{LOAD}-")


def _missing_loads(jobs: Iterable[str], *, needed: bool) -> set[str]:
    """Return the loads that are not among `jobs` although they must have been: they are numbered 1, 2, ...

    needed: whether a job needed at least one.
    """
    numbers = {int(end) for start, _, end in (job.rpartition("-") for job in jobs) if start == LOAD}
    highest = max(numbers, default=int(needed))
    return {f"{LOAD}-{number:05d}" for number in range(1, highest + 1) if number not in numbers}
