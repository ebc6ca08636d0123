"""`curate.duckdb`: the tables and views of a workspace, for any DuckDB client. It holds no data and is disposable.

Its views have absolute paths, because DuckDB looks up relative ones in the client's folder. The file `.catalogue`
beside it tells which folder and which jobs it shows, so that every command notices a copied, moved or old one.
"""

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate import __version__, sql_files
from curate.errors import CurateError, NoSpace
from curate.job_record import Record
from curate.shards import digest, write_text
from curate.snapshot import Snapshot
from curate.snapshot_connection import define

if TYPE_CHECKING:
    import duckdb

LEAST_SPACE = 1 << 20  # bytes that DuckDB needs to write at all


@dataclass(frozen=True)
class Catalogue:
    """The catalogue in a file, which may be missing, out of date, damaged, or open in another program."""

    path: Path

    def shows(self, records: Iterable[Record]) -> bool:
        """Return whether the file shows this folder and the jobs of `records`, and no others."""
        return self.path.is_file() and self._label.get("shows") == self._state(records)

    def write(self, now: Snapshot) -> bool:
        """Have the file show a snapshot; return False if another program has it open.

        Views are defined only if they are not what they were when this was last done, because they say the same
        whatever the shards are. Raises NoSpace if the file cannot be written, and CurateError if DuckDB cannot
        use it.
        """
        import duckdb

        for last in (False, True):  # twice, because whoever held the file may just have closed it
            try:
                with sql_files.connect(str(self.path)) as connection:
                    self._define(connection, now)
                break
            except duckdb.ConnectionException:
                return False  # open in this process
            except duckdb.Error as error:
                if self.is_held():
                    return False
                self._refuse_unwritable()
                if last:
                    reason = str(error).partition("\n")[0]
                    raise CurateError(
                        f"all results are saved, but {self.path} cannot be refreshed: {reason}",
                        run="curate rebuild",
                    ) from error
        return True

    def _define(self, connection: "duckdb.DuckDBPyConnection", now: Snapshot) -> None:
        before = self._label
        files = {table: digest([str(path) for path in now.paths(table)]) for table in sql_files.TABLES}
        names: frozenset[str] = sql_files.known_names()
        known = before.get("files")
        if isinstance(known, dict) and before.get("definitions") == _definitions(connection):
            changed = {table for table, named in files.items() if known.get(table) != named}
            names = frozenset(name for name in names if changed & sql_files.tables_of([name])) | {sql_files.STAGES}
        define(connection, now, names)
        label = {"shows": self._state(now.records), "files": files, "definitions": _definitions(connection)}
        write_text(self._label_path, json.dumps(label))  # while nobody else can write the file

    def set_aside(self) -> Path:
        """Rename the file, so that a new one can take its place; return the new path."""
        aside = self.path.with_name(f"{self.path.name}.damaged")
        if aside.is_dir():
            shutil.rmtree(aside)
        self.path.with_name(f"{self.path.name}.wal").unlink(missing_ok=True)
        return self.path.replace(aside)

    def is_held(self) -> bool:
        """Return whether another process has the file open.

        DuckDB locks its file, and reports a lock that it cannot get by the same type of error as damage. To try
        the lock is the only way to tell. Only call this while this process has not opened the file: closing a
        file gives up all of the process's locks on it.
        """
        import fcntl

        try:
            with self.path.open("r+b") as stream:
                fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def _refuse_unwritable(self) -> None:
        if self.path.is_file() and not os.access(self.path, os.W_OK):
            raise NoSpace(f"all results are saved, but {self.path} is not writable for this user")
        if shutil.disk_usage(self.path.parent).free < LEAST_SPACE:
            raise NoSpace(f"all results are saved, but the disk is full: {self.path} could not be refreshed")

    @property
    def _label(self) -> dict[str, Any]:
        """What was last written, empty if that is unknown."""
        try:
            label = json.loads(self._label_path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return label if isinstance(label, dict) else {}

    @property
    def _label_path(self) -> Path:
        return self.path.with_name(".catalogue")

    def _state(self, records: Iterable[Record]) -> str:
        jobs = [[record.job, record.number, record.finished_at] for record in records]
        return digest(str(self.path), __version__, jobs)


def _definitions(connection: "duckdb.DuckDBPyConnection") -> str:
    """Return a digest of the views and macros of the file, and of those that it should have."""
    names = sql_files.known_names() - sql_files.SOME_SHARDS_OF.keys()
    rows = sql_files.select(connection, "workspace/definitions", names=sorted(names))
    return digest(rows.fetchall(), [sql_files.code(path) for path in sql_files.DEFINED])
