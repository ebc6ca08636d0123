"""What one connection reads: the records of a workspace, and the shards that count, as they were at one moment."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from curate import sql_files
from curate.damage import all_contents, all_standing, refuse
from curate.job_record import Record
from curate.schema_shard import schema_shard
from curate.shards import Shard


@dataclass(frozen=True)
class ScoredFile:
    """A file with the candidates of a run beside the logits of a scorer."""

    run_id: str
    scorer_id: str
    shard: Shard


class Snapshot:
    """The shards of each table are listed once, so that all that is read through a snapshot fits together."""

    def __init__(self, root: Path, records: list[Record], shards: Mapping[str, list[Shard]]) -> None:
        """Take the workspace's folder, its records, and the shards of each table that count.

        `Workspace.snapshot` makes one.
        """
        self.root, self.records = root, records
        self._shards = shards
        self.scored: list[ScoredFile] = []
        """The files that a connection reads for the view scored_candidates (curate/scored_candidates.py)."""

    def changed(self, before: "Snapshot") -> set[str]:
        """Return the tables whose shards are others than in an earlier snapshot of the workspace."""
        return {table for table in sql_files.TABLES if self._shards[table] != before.shards(table)}

    @property
    def content(self) -> tuple[list[Record], Mapping[str, list[Shard]]]:
        """What is read through it. Equal snapshots of a workspace have equal contents."""
        return self.records, self._shards

    def shards(self, table: str) -> list[Shard]:
        """Return the shards of a table that count, in the order of their jobs."""
        return self._shards[table]

    def paths(self, table: str, *, without: str = "") -> list[Path]:
        """Return the Parquet files of a table, in the order of their jobs; the list is never empty.

        without: a job whose shards are left out. Raises Damaged if a shard that a record names is missing, or has
        not its size or its manifest.
        """
        shards = self.shards(table)
        refuse(self.root, all_standing(shards))
        # The shard without rows is used only if there is no other. DuckDB estimates a relation's size from its
        # first file, and an estimate of 0 makes it hash the largest table (measured: 24 s instead of 3 s).
        paths = [shard.path for shard in shards if shard.path.parent.name != without]
        return paths or [schema_shard(self.root, table)]

    def check(self, tables: Iterable[str]) -> None:
        """Raise Damaged if a shard of `tables` has not the bytes that were written.

        A process reads each shard for this once, as long as the file stays as it is.
        """
        refuse(self.root, all_contents(shard for table in sorted(tables) for shard in self.shards(table)))

    def files(self) -> list[Path]:
        """Return every file that a connection to this snapshot may read."""
        shards = [path for table in sql_files.TABLES for path in self.paths(table)]
        return shards + [file.shard.path for file in self.scored]
