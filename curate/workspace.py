"""A workspace: the folder that holds one collection and everything derived from it.

my-set/
  curate.toml     settings
  curate.duckdb   catalogue: the views for any DuckDB client; disposable
  tables/         the truth: Parquet shards with manifests, and the records of the stages
  annotations/    verdicts of sessions in the terminal (curate/annotate/journal.py)
  embeddings/  indexes/  models/  exports/
"""

import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate import scored_candidates, sql_files
from curate.catalogue import Catalogue
from curate.config import Settings, read_settings
from curate.damage import Damage, all_contents, all_standing, refuse
from curate.errors import BadSettings, CurateError, Damaged, NoSpace, NoWorkspace, UnknownName, WorkspaceBusy
from curate.job_record import (
    COPIES,
    NAMED,
    Record,
    missing_numbers,
    outputs,
    places,
    read_any,
    read_record,
    recorded_jobs,
    restore_record,
    without_copy,
)
from curate.nearest import nearest
from curate.progress import SILENT, Progress
from curate.schema_shard import FORMAT, schema_shard
from curate.shards import Manifest, write_text
from curate.snapshot import Snapshot
from curate.snapshot_connection import SharedConnection, connect
from curate.spill import SPILL, clear_spills
from curate.unnamed_shards import unnamed_shards

if TYPE_CHECKING:
    import duckdb
    import polars as pl

LOGGER = logging.getLogger("curate.workspace")

CONFIG = "curate.toml"
OWN = ("tables", "annotations", "embeddings", "indexes", "models")
OWN_FILES = (CONFIG, "curate.duckdb", ".lock", SPILL)
TOML = """\
# Settings of this workspace. Options on the command line take precedence over them.
# docs/configuration.md lists every key with its default.

[mine]
retriever = "bm25" # bm25, dense or hybrid
# encoder = "path/or/hub-name"
depth = 100

[denoise]
# scorer = "models/cross-encoder"
depth = 50 # the top-k that is scored
negative_below = 0.1
positive_above = 0.9
"""


class Workspace:
    """An existing workspace. `Workspace.create` makes a new one; `Workspace.find` searches upwards for one.

    settings: in place of those in its `curate.toml`.
    """

    def __init__(self, root: Path | str, settings: Settings | None = None) -> None:
        self.root = _usable(Path(root).resolve())
        if not (self.root / CONFIG).is_file():
            raise _no_workspace(self.root)
        made = Manifest.read(self.root / "tables" / "passages" / "schema.parquet")
        if made and made.lineage.settings.get("format") != FORMAT:
            raise BadSettings(
                f"{self.root} was made by another version of curate, whose tables mean something else. "
                "Make a new workspace and load your files again",
                run="curate init FOLDER",
            )
        if settings:
            self.settings = settings

    @classmethod
    def create(cls, root: Path | str, settings: str | None = None) -> "Workspace":
        """Make the folder `root` a workspace and return it; raises BadSettings if it already is one.

        settings: the text of its `curate.toml`; by default, a text with the most common settings. Raises NoSpace
        if the folder cannot be written.
        """
        root = _usable(Path(root).resolve())
        if (root / CONFIG).exists():
            raise BadSettings(f"{root} is already a workspace: {root / CONFIG} exists")
        if root.is_file():
            raise BadSettings(f"{root} is a file; a workspace must be a folder")
        try:
            for table in sql_files.TABLES:
                schema_shard(root, table)
            write_text(root / CONFIG, settings or TOML)
        except OSError as error:
            raise NoSpace(f"cannot create a workspace in {root}: {error.strerror}") from error
        workspace = cls(root)
        workspace.refresh_catalogue()
        return workspace

    @classmethod
    def find(cls, start: Path | str = ".") -> "Workspace":
        """Return the workspace that contains the folder `start`; raises BadSettings if there is none."""
        start = Path(start).resolve()
        for folder in (start, *start.parents):
            if (folder / CONFIG).is_file():
                return cls(folder)
        raise _no_workspace(start)

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy, in this process or another, begins with. It opens a connection of its own."""
        return {name: value for name, value in vars(self).items() if name != "_shared"}

    @cached_property
    def _shared(self) -> SharedConnection:
        return SharedConnection()

    @cached_property
    def settings(self) -> Settings:
        """The settings in `curate.toml`, which is read once."""
        return read_settings(self.root / CONFIG)

    @property
    def stages(self) -> Path:
        """The folder of the records."""
        return self.root / "tables" / "stages"

    @property
    def written(self) -> Path:
        """The folder in which jobs write their shards."""
        return self.root / "tables"

    @property
    def next_number(self) -> int:
        """The number of the next record."""
        return 1 + max((record.number for record in self.records()), default=0)

    def records(self, stage: str | None = None) -> list[Record]:
        """Return the records of the completed jobs (of one stage, if given), oldest first.

        Raises Damaged if a record or its copy is missing or not what was written.
        """
        found = _by_number(read_record(self.stages / f"{job}.json") for job in recorded_jobs(self.stages))
        refuse(self.root, self._lost_copies(found))
        self._refuse_lost(found)
        return [record for record in found if stage in (None, record.stage)]

    def readable_records(self) -> list[Record]:
        """Return the records that can be read, oldest first, although others may be lost or damaged."""
        found = (read_any(self.stages, job) for job in recorded_jobs(self.stages))
        return _by_number(record for record in found if record)

    def _lost_copies(self, records: list[Record]) -> list[Damage]:
        """Return the copies that are missing. That of the last record may be: a kill may have come before it."""
        lost = without_copy(self.stages) - {record.job for record in records[-1:]}
        return [Damage(places(self.stages, job)[1], "is missing") for job in sorted(lost)]

    def _refuse_lost(self, records: list[Record]) -> None:
        """Raise Damaged if a record and its copy are both gone."""
        gaps = missing_numbers(records)
        damage = f"damage in {self.root}: tables/stages and tables/{COPIES}"
        if gaps:
            more = f" and {len(gaps) - NAMED:,} more" if gaps[NAMED:] else ""
            raise Damaged(
                f"{damage} lack the records of some jobs: number {', '.join(map(str, gaps[:NAMED]))}{more} of "
                f"{records[-1].number:,}. The rows of these jobs do not count",
                run="curate rebuild",
            )
        jobs = [] if records else self._jobs_with_shards()
        if jobs:
            raise Damaged(
                f"{damage} hold no record, although there are shards of {len(jobs):,} jobs, such as {jobs[0]}. "
                "No row counts without a record. Restore the two folders from a backup, or load everything into a "
                "new workspace"
            )

    def _jobs_with_shards(self) -> list[str]:
        """Return the jobs that have a shard, without the first load: if it was killed, it has no record yet."""
        found = {path.parent.name for path in self.root.glob("tables/*/*/*.parquet.json")}
        return sorted(found - {"load-00001"})

    def complete_copies(self) -> None:
        """Write the copy of the last record, if a kill came before it."""
        for job in without_copy(self.stages):
            restore_record(self.stages, job)

    def record(self, job: str) -> Record | None:
        """Return the record of a completed job, or None."""
        return next((record for record in self.records() if record.job == job), None)

    def damage(self, records: Iterable[Record] | None = None) -> list[Damage]:
        """Return each record, and each file that a record names, that is not what was written; reads all of them.

        records: only look at the files of these.
        """
        found = []
        if records is None:
            records = []
            for job in recorded_jobs(self.stages):
                path = self.stages / f"{job}.json"
                try:
                    records.append(read_record(path))
                except Damaged:
                    found.append(Damage(path, "is missing, or is not the record that was written"))
            found += self._lost_copies(_by_number(records))
        shards = outputs(self.root, records)
        found += all_standing(shards)
        known = {damage.path for damage in found}
        return found + all_contents(shard for shard in shards if shard.path not in known)

    def refuse_further_damage(self, mended: list[str]) -> None:
        """Raise Damaged if files are damaged besides those that were `mended`; reads all of them."""
        refuse(self.root, self.damage(), mended)

    def shards(self, table: str, *, without: str = "") -> list[Path]:
        """Return the Parquet shards of a table that count now, as `Snapshot.paths` does."""
        return self.snapshot().paths(table, without=without)

    def snapshot(self) -> Snapshot:
        """Return the records and shards that count now, for what must not change while it is read."""
        return Snapshot(self.root, self.records(), partial(unnamed_shards, self.root))

    def connect(self, now: Snapshot | None = None, **config: Any) -> "duckdb.DuckDBPyConnection":
        """Return an in-memory DuckDB connection that has every table and view of the workspace.

        It reads the Parquet shards, so it is never locked and never stale. Data that does not fit into memory is
        spilled into the workspace. Each process has its own spill folder, because DuckDB reuses its file names.

        now: what it reads; by default the workspace as it is.
        """
        return connect(now or self.snapshot(), sql_files.known_names(), **config)

    def connect_lazily(self, now: Snapshot | None = None, **config: Any) -> "duckdb.DuckDBPyConnection":
        """Return a connection as `connect` does, which gets a table or view when `sql_files` first reads it.

        DuckDB binds every view that it creates. For all of them, that takes longer than most steps' queries.
        """
        return connect(now or self.snapshot(), frozenset(), **config)

    def reading(self) -> "AbstractContextManager[duckdb.DuckDBPyConnection]":
        """Open a connection to the workspace as it is now, which must define nothing of its own.

        As long as nothing changes, all of them share what they have defined. A step has many short queries, and to
        define what one of them reads takes longer than the query.
        """
        return self._shared.cursor(self.snapshot())

    def keep_scored_candidates(self, progress: Progress = SILENT, *, anew: bool = False) -> None:
        """Bring the files of scored candidates up to date. As nothing depends on them, an error is only logged.

        anew: check those that there are, as `curate rebuild` does.
        """
        import duckdb

        try:
            now = self.snapshot()
            with self.connect_lazily(now) as connection:
                scored_candidates.keep(connection, now, progress, anew=anew)
        except duckdb.InterruptException as error:
            raise KeyboardInterrupt from error
        except (CurateError, duckdb.Error, OSError) as error:
            LOGGER.warning("no scored candidates are kept: %s", error)
        finally:
            vars(self).pop("_shared", None)  # the next question looks for the files anew

    def select(self, path: str, /, **parameters: Any) -> "pl.DataFrame":
        """Return the rows of the query in `sql/<path>.sql` as a Polars DataFrame."""
        with self.reading() as connection:
            rows: pl.DataFrame = sql_files.select(connection, path, **parameters).pl()
        return rows

    def sql(self, query: str, /, **parameters: Any) -> "pl.DataFrame":
        """Return the rows of a query over the tables and views as a Polars DataFrame; `$name` is a parameter."""
        with self.connect() as connection:
            rows: pl.DataFrame = sql_files.query(connection, query, parameters).pl()
        return rows

    def scan(self, name: str) -> "pl.LazyFrame":
        """Return a table or view as a Polars LazyFrame; Polars reads most tables lazily from their shards.

        Raises BadSettings, with the nearest name, for an unknown table or view.
        """
        import polars as pl

        if name in sql_files.TABLES and name not in sql_files.SHARDS_OF:
            now = self.snapshot()
            now.check([name])
            return pl.scan_parquet(now.paths(name))
        known = [*sql_files.TABLES, *sql_files.view_names(), "stages"]
        if name not in known:
            raise UnknownName(f"no table or view '{name}': {nearest(name, sorted(set(known)))}")
        with self.reading() as connection:
            sql_files.prepare(connection, name)
            rows: pl.DataFrame = connection.table(name).pl()
        return rows.lazy()

    @property
    def catalogue(self) -> Catalogue:
        """The file `curate.duckdb`."""
        return Catalogue(self.root / "curate.duckdb")

    def refresh_catalogue(self) -> bool:
        """Bring `curate.duckdb` up to date with the records; return False if another process holds it.

        Tables and views that users created in the file stay. Nothing depends on the file, and the next command
        refreshes it again. Raises CurateError if DuckDB cannot write it.
        """
        return self.catalogue.write(self.snapshot())

    def catalogue_is_current(self) -> bool:
        """Return whether `curate.duckdb` shows this folder, with every job that is complete."""
        return self.catalogue.shows(self.records())

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the workspace for writing; raises WorkspaceBusy if another process holds it. Readers never wait."""
        from filelock import FileLock, Timeout

        holder = self.root / ".lock-holder"
        lock = FileLock(self.root / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            who = holder.read_text("utf-8", "replace") if holder.is_file() else "unknown"
            raise WorkspaceBusy(
                f"another process is writing to {self.root} (PID {who}). Wait for it, then run the same command."
            ) from error
        except OSError as error:
            raise NoSpace(f"cannot write to {self.root}: {error.strerror}") from error
        try:
            holder.write_text(str(os.getpid()), "utf-8")
            clear_spills(self.root)
            yield
        finally:
            lock.release()


def _by_number(records: Iterable[Record]) -> list[Record]:
    return sorted(records, key=lambda record: record.number)


def _usable(root: Path) -> Path:
    """Return `root`; raises BadSettings if DuckDB would read other files than those in this path."""
    if "\\" in str(root):
        raise BadSettings(
            f"{root} has a backslash in its path, which DuckDB takes for a slash; choose another folder name"
        )
    if set("*?[") & set(str(root)):
        raise BadSettings(
            f"{root} has *, ? or [ in its path, which DuckDB treats as patterns; choose another folder name"
        )
    return root


def check_output(path: Path | str) -> None:
    """Raise BadSettings if a file `path` that a user names for output would be one of a workspace's own files."""
    for place in (Path(path).absolute(), Path(os.path.realpath(path))):  # a link, and what it names
        for root in place.parents:
            if (root / CONFIG).is_file() and _is_own(place.relative_to(root)):
                raise BadSettings(f"{path} belongs to the workspace {root}, which needs it. Give another file")


def _is_own(inner: Path) -> bool:
    """Return whether a path in a workspace is for curate to write; a file directly in exports/ is the user's."""
    first = inner.parts[0]
    return first in OWN or first.startswith(OWN_FILES) or (first == "exports" and len(inner.parts) > 2)


def _no_workspace(folder: Path) -> NoWorkspace:
    return NoWorkspace(
        f"{folder} is not a workspace: found no {CONFIG} there or above. Make one", run="curate init FOLDER"
    )
