"""A job: one run of a stage, with its shards and, once they are complete, its record."""

import logging
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from curate import __version__, sql_files
from curate.job_record import Record, forgotten, recorded_jobs
from curate.shards import Lineage, Manifest, canonical, digest, done, publish, write_parquet
from curate.workspace import Workspace

LOGGER = logging.getLogger("curate.jobs")


@dataclass(frozen=True)
class Job:
    """One run of a stage, which writes shards: equal settings and inputs give equal bytes.

    A job that was killed resumes at its first unfinished shard. Its record is written last and makes the shards
    count.
    """

    workspace: Workspace
    stage: str
    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    @property
    def lineage(self) -> Lineage:
        """The origin that the manifest of every shard records."""
        return Lineage(self.stage, self.name, self.settings, self.inputs)

    @property
    def record(self) -> Record | None:
        """The record of this job if it is complete with the same settings and inputs, else None."""
        record = self.workspace.record(self.name)
        same = record and canonical([record.settings, record.inputs]) == canonical([self.settings, self.inputs])
        return record if same else None

    def shard(self, table: str, number: int) -> Path:
        """Return the path of shard `number` of a table."""
        return self.workspace.written / table / self.name / f"{number:05d}.parquet"

    def has(self, table: str, number: int) -> Manifest | None:
        """Return the manifest of a shard if it is done and intact, else None."""
        return done(self.shard(table, number), self.lineage)

    def write(self, table: str, number: int, make: Callable[[], Iterable[Any]]) -> Manifest:
        """Write a shard from the Arrow batches or tables that `make` returns, unless it is already done."""
        schema = sql_files.schema(table)
        manifest = self.has(table, number) or publish(
            self.shard(table, number), lambda path: write_parquet(path, make(), schema), self.lineage
        )
        shard = f"{table}/{self.name}/{manifest.file}"
        LOGGER.debug("%d rows", manifest.rows, extra={"stage": self.stage, "run": self.name, "shard": shard})
        return manifest

    def write_rows(self, table: str, rows: list[dict[str, Any]]) -> Manifest:
        """Write a small shard (number 0) from dictionaries."""
        import pyarrow as pa

        return self.write(table, 0, lambda: [pa.Table.from_pylist(rows, sql_files.schema(table))])

    def discard(self) -> None:
        """Delete every shard of this job."""
        for table in sql_files.TABLES:
            shutil.rmtree(self.shard(table, 0).parent, ignore_errors=True)

    def finish(self, **facts: Any) -> Record:
        """Write the job's record, which makes its shards count, and refresh the catalogue."""
        number, before = self.workspace.next_number, self.workspace.record(self.name)
        self.workspace.complete_copies()
        if before and before.number != number:
            forgotten(before.number, self.name).write(self.workspace.stages)
        record = Record(
            job=self.name,
            stage=self.stage,
            number=number,
            settings=self.settings,
            inputs=self.inputs,
            outputs=self.outputs,
            facts=facts,
            version=__version__,
            finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - self.started, 3),
        )
        record.write(self.workspace.stages)
        LOGGER.info("finished in %.1f s", record.seconds, extra={"stage": self.stage, "run": self.name})
        self.workspace.refresh_catalogue()
        return record

    @property
    def outputs(self) -> dict[str, str]:
        """The shards of this job: path below the workspace -> sha256."""
        found = {}
        for table in sql_files.TABLES:
            for path in sorted(self.shard(table, 0).parent.glob("*.parquet")):
                manifest = Manifest.read(path)
                if manifest:
                    found[f"tables/{table}/{self.name}/{path.name}"] = manifest.sha256
        return found


def numbered(workspace: Workspace, stage: str) -> str:
    """Return the name of a stage's next numbered job: one above the highest number on record."""
    names = [job for job in recorded_jobs(workspace.stages) if job.startswith(f"{stage}-")]
    return f"{stage}-{1 + max((int(name.rpartition('-')[2]) for name in names), default=0):05d}"


def table_digest(workspace: Workspace, table: str, *, of_jobs: Collection[str] | None = None) -> str:
    """Return one sha256 over a table's shards, or over those `of_jobs`; it changes when a shard is added."""
    shards = [path for path in workspace.shards(table) if of_jobs is None or path.parent.name in of_jobs]
    return digest([manifest.sha256 for path in shards if (manifest := Manifest.read(path))])
