"""A workspace: the folder that holds one collection and everything derived from it.

my-set/
  curate.toml     settings
  curate.duckdb   catalogue: the views for any DuckDB client; disposable
  tables/         the truth: Parquet shards with manifests, and the records of the stages
  embeddings/  indexes/  models/  exports/
"""

import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate import sql_files
from curate.config import Settings, read_settings
from curate.errors import BadSettings, CurateError, NoSpace, WorkspaceBusy
from curate.job_record import Record, read_record
from curate.nearest import nearest
from curate.shards import Lineage, Manifest, publish, write_parquet, write_text

if TYPE_CHECKING:
    import duckdb
    import polars as pl

CONFIG = "curate.toml"
# A shard of the ledger counts as soon as it is written, because each shard holds complete answers. The models that
# gave the scores count with it. Other shards count once their job has a record, so that no reader sees half a run.
COUNTED_AT_ONCE = ("scores", "models")

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
            raise BadSettings(_no_workspace(self.root))
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
                _publish_empty(root / "tables" / table / "schema.parquet", table)
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
        raise BadSettings(_no_workspace(start))

    @cached_property
    def settings(self) -> Settings:
        """The settings in `curate.toml`, which is read once."""
        return read_settings(self.root / CONFIG)

    def records(self, stage: str | None = None) -> list[Record]:
        """Return the records of the completed jobs (of one stage, if given), oldest first."""
        found = [read_record(path) for path in (self.root / "tables" / "stages").glob("*.json")]
        return sorted(
            (record for record in found if stage in (None, record.stage)), key=lambda record: record.number
        )

    def record(self, job: str) -> Record | None:
        """Return the record of a completed job, or None."""
        path = self.root / "tables" / "stages" / f"{job}.json"
        return read_record(path) if path.is_file() else None

    def shards(self, table: str, records: list[Record] | None = None, *, without: str = "") -> list[Path]:
        """Return the Parquet shards of a table that count, in the order of their jobs; the list is never empty.

        without: a job whose shards are left out. records: the jobs' records, to save reading them again.
        """
        folder = self.root / "tables" / table
        jobs = {record.job: record.number for record in (self.records() if records is None else records)}
        unfinished = len(jobs) + 1
        found = []
        for path in folder.glob("*/*.parquet"):
            number = jobs.get(path.parent.name, unfinished if table in COUNTED_AT_ONCE else None)
            manifest = Manifest.read(path) if number else None
            if number and manifest and manifest.stands(path) and path.parent.name != without:
                found.append((number, path.parent.name, path.name, path))
        # The shard without rows is used only if there is no other. DuckDB estimates a relation's size from its
        # first file, and an estimate of 0 makes it hash the largest table (measured: 24 s instead of 3 s).
        return [entry[-1] for entry in sorted(found)] or [self._schema_shard(table)]

    def connect(self, **config: Any) -> "duckdb.DuckDBPyConnection":
        """Return an in-memory DuckDB connection that has every table and view of the workspace.

        It reads the Parquet shards, so it is never locked and never stale. Data that does not fit into memory is
        spilled into the workspace. Each process has its own spill folder, because DuckDB reuses its file names.
        """
        spill = self.root / f"{_spills()}{os.getpid()}"
        connection = sql_files.connect(temp_directory=str(spill), **config)
        self.define(connection)
        return connection

    def define(self, connection: "duckdb.DuckDBPyConnection") -> None:
        """Create the tables, macros and views on `connection`, including the table `stages`."""
        records = self.records()
        sql_files.define(connection, {table: self.shards(table, records) for table in sql_files.TABLES})
        sql_files.execute(connection, "tables/stages")
        rows = [record.row() for record in records]
        if rows:
            connection.executemany(sql_files.text("workspace/insert_stage"), rows)

    def select(self, path: str, /, **parameters: Any) -> "pl.DataFrame":
        """Return the rows of the query in `sql/<path>.sql` as a Polars DataFrame."""
        with self.connect() as connection:
            rows: pl.DataFrame = sql_files.select(connection, path, **parameters).pl()
        return rows

    def sql(self, query: str, /, **parameters: Any) -> "pl.DataFrame":
        """Return the rows of a query over the tables and views as a Polars DataFrame; `$name` is a parameter."""
        with self.connect() as connection:
            rows: pl.DataFrame = connection.sql(query, params=parameters or None).pl()
        return rows

    def scan(self, name: str) -> "pl.LazyFrame":
        """Return a table or view as a Polars LazyFrame; Polars reads most tables lazily from their shards.

        Raises BadSettings, with the nearest name, for an unknown table or view.
        """
        import polars as pl

        if name in sql_files.TABLES and name not in sql_files.SHARDS_OF:
            return pl.scan_parquet(self.shards(name))
        known = [*sql_files.TABLES, *sql_files.view_names(), "stages"]
        if name not in known:
            raise BadSettings(f"no table or view '{name}': {nearest(name, sorted(set(known)))}")
        with self.connect() as connection:
            rows: pl.DataFrame = connection.table(name).pl()
        return rows.lazy()

    def refresh_catalogue(self) -> bool:
        """Bring `curate.duckdb` up to date with the manifests; return False if another process holds it.

        Tables and views that users created in the file stay. Nothing depends on the file, and the next job
        refreshes it again. Raises CurateError if DuckDB cannot write it.
        """
        import duckdb

        path = self.root / "curate.duckdb"
        try:
            with sql_files.connect(str(path)) as connection:
                self.define(connection)
        except duckdb.Error as error:
            if "lock" in str(error):
                return False
            reason = str(error).partition(chr(10))[0]
            raise CurateError(
                f"all results are saved, but {path} cannot be refreshed: {reason}. Run: curate rebuild"
            ) from error
        return True

    def rebuild(self) -> tuple[int, list[str]]:
        """Check every shard against its manifest and rebuild the catalogue from the manifests.

        Returns the number of shards and the paths of the damaged ones. A catalogue that DuckDB cannot open is
        renamed to `curate.duckdb.damaged`. Raises WorkspaceBusy if another process holds the catalogue.
        """
        import duckdb

        shards = [path for table in sql_files.TABLES for path in self.root.glob(f"tables/{table}/**/*.parquet")]
        damaged = [str(path.relative_to(self.root)) for path in sorted(shards) if not _is_intact(path)]
        path = self.root / "curate.duckdb"
        try:
            if path.exists():
                sql_files.connect(str(path)).close()
        except duckdb.Error as error:
            if "lock" in str(error):
                raise WorkspaceBusy(f"{path} is open elsewhere: {error}") from error
            path.replace(path.with_name("curate.duckdb.damaged"))
        for table in sql_files.TABLES:
            self._schema_shard(table)
        self.refresh_catalogue()
        return len(shards), damaged

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the workspace for writing; raises WorkspaceBusy if another process holds it. Readers never wait."""
        from filelock import FileLock, Timeout

        holder = self.root / ".lock-holder"
        lock = FileLock(self.root / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            who = holder.read_text("utf-8") if holder.is_file() else "unknown"
            raise WorkspaceBusy(
                f"another process is writing to {self.root} (PID {who}). Wait for it, then run the same command."
            ) from error
        except OSError as error:
            raise NoSpace(f"cannot write to {self.root}: {error.strerror}") from error
        try:
            holder.write_text(str(os.getpid()), "utf-8")
            self._clear_spills()
            yield
        finally:
            lock.release()

    def _clear_spills(self) -> None:
        """Delete the spill folders of processes on this machine that no longer run."""
        for folder in self.root.glob(f"{_spills()}*"):
            if not _is_alive(int(folder.name.removeprefix(_spills()))):
                shutil.rmtree(folder, ignore_errors=True)

    def _schema_shard(self, table: str) -> Path:
        """Return the table's shard without rows, which gives an empty table its columns; create it if missing."""
        path = self.root / "tables" / table / "schema.parquet"
        return path if path.is_file() else _publish_empty(path, table)


def _spills() -> str:
    """Return the prefix of this machine's spill folders; the process id follows it."""
    return f".spill-{platform.node()}-"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _publish_empty(path: Path, table: str) -> Path:
    schema = sql_files.schema(table)
    publish(path, lambda target: write_parquet(target, [], schema), Lineage("create", "schema"))
    return path


def _is_intact(path: Path) -> bool:
    manifest = Manifest.read(path)
    return manifest is not None and manifest.is_intact(path)


def _usable(root: Path) -> Path:
    """Return `root`; raises BadSettings if DuckDB would take its path for a pattern and read other files."""
    if set("*?[") & set(str(root)):
        raise BadSettings(
            f"{root} has *, ? or [ in its path, which DuckDB treats as patterns; choose another folder name"
        )
    return root


def _no_workspace(folder: Path) -> str:
    return f"{folder} is not a workspace: found no {CONFIG} there or above. Make one: curate init FOLDER"
