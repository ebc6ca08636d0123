"""What one connection reads: the records of a workspace, and the shards that count, as they were at one moment."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from curate import sql_files
from curate.damage import all_contents, all_standing, refuse
from curate.job_record import Record, outputs
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

    def __init__(
        self,
        root: Path,
        records: list[Record],
        unnamed: Callable[[str, list[Shard]], list[Shard]],
    ) -> None:
        """Take the workspace's folder and records; `Workspace.snapshot` makes one.

        unnamed: a function that takes a table and those of its shards that records name, and returns what else
        counts.
        """
        self.root, self.records = root, records
        self._unnamed = unnamed
        self._named: dict[str, list[Shard]] = {table: [] for table in sql_files.TABLES}
        for shard in outputs(root, records):
            folder, table = shard.path.relative_to(root).parts[:2]
            if folder == "tables" and table in self._named:
                self._named[table].append(shard)
        self._listed: dict[str, list[Shard]] = {}
        self.scored: list[ScoredFile] = []
        """The files that a connection reads for the view scored_candidates (curate/scored_candidates.py)."""

    def shows(self, before: "Snapshot") -> bool:
        """Return whether there is nothing new in it, as far as the earlier snapshot of the workspace was read."""
        return self.records == before.records and not self.changed(before)

    def changed(self, before: "Snapshot") -> set[str]:
        """Return the tables that were read through an earlier snapshot and have other shards in this one."""
        return {table for table, shards in before._listed.items() if self.shards(table) != shards}  # noqa: SLF001

    def shards(self, table: str) -> list[Shard]:
        """Return the shards of a table that count, in the order of their jobs."""
        if table not in self._listed:
            named = self._named[table]
            self._listed[table] = named + self._unnamed(table, named)
        return self._listed[table]

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
