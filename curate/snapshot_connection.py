"""DuckDB connections to a snapshot of a workspace, which define its tables and views and check its shards."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

from curate import scored_candidates, sql_files
from curate.damage import all_standing, refuse
from curate.job_record import Record, outputs
from curate.snapshot import Snapshot
from curate.spill import spill_folder

if TYPE_CHECKING:
    import duckdb


def connect(now: Snapshot, names: frozenset[str], **config: Any) -> "duckdb.DuckDBPyConnection":
    """Return an in-memory connection with the tables, macros and views called `names`.

    It gets any other one when `sql_files` first reads it. Data that does not fit into memory is spilled into the
    workspace. Raises Damaged if a shard that a record names is missing, or has not its size or its manifest.
    """
    return _connect(_Shown(now), names, **config)


def define(connection: "duckdb.DuckDBPyConnection", now: Snapshot, names: Collection[str]) -> None:
    """Create the tables, macros and views called `names` on any connection.

    Raises Damaged if a shard that a record names is missing, or has not its size or its manifest.
    """
    import duckdb

    refuse(now.root, all_standing(outputs(now.root, now.records)))
    if sql_files.STAGES in names:
        _define_stages(connection, now.records)  # first, because views read it
    try:
        sql_files.define(connection, now.paths, names)
    except duckdb.Error:
        now.check(sql_files.TABLES)  # a shard whose end is damaged cannot even be opened
        raise


class SharedConnection:
    """A connection whose users share what it has defined, for as long as the workspace stays as it is."""

    def __init__(self) -> None:
        """Open nothing yet."""
        self._one_at_a_time = Lock()
        self._users = 0
        self._open: tuple[_Shown, duckdb.DuckDBPyConnection] | None = None

    @contextmanager
    def cursor(self, now: Snapshot) -> "Iterator[duckdb.DuckDBPyConnection]":
        """Yield a connection of its own to a snapshot."""
        with self._one_at_a_time:
            connection = self._showing(now)
            self._users += 1
        try:
            with sql_files.cursor(connection) as cursor:
                yield cursor
        finally:
            with self._one_at_a_time:
                self._users -= 1

    def _showing(self, now: Snapshot) -> "duckdb.DuckDBPyConnection":
        if self._open and now.shows(self._open[0].now):
            self._open[0].check_anew()
            return self._open[1]
        if self._open and self._users == 0:
            shown, connection = self._open
            self._open = None  # if what follows fails, nobody knows what it shows
            shown.move(connection, now)
        else:  # whoever reads an earlier snapshot goes on doing so
            shown = _Shown(now)
            # What DuckDB would keep in memory of the files that it has read is kept by the system anyway.
            connection = _connect(shown, frozenset(), enable_external_file_cache=False)
        self._open = shown, connection
        return connection


class _Shown:
    """What a connection shows: a snapshot, and what of it is defined and checked."""

    def __init__(self, now: Snapshot) -> None:
        self.now = now
        self._defined, self._checked, self._one_at_a_time = set[str](), set[str](), Lock()

    def prepare(self, asking: "duckdb.DuckDBPyConnection", read: frozenset[str]) -> None:
        """Define and check what a statement reads (`sql_files.prepare_reads`)."""
        with self._one_at_a_time:
            if missing := read - self._defined:
                self.define(asking, missing)
            if unchecked := sql_files.tables_of(read) - self._checked:
                self.now.check(unchecked)
                self._checked.update(unchecked)
            if not read.isdisjoint(scored_candidates.VIEWS):  # each time: files may go
                scored_candidates.check(asking, self.now)

    def check_anew(self) -> None:
        """Have files compared with their records once more, because they may have been damaged since."""
        refuse(self.now.root, all_standing(outputs(self.now.root, self.now.records)))
        with self._one_at_a_time:
            self._checked.clear()

    def define(self, asking: "duckdb.DuckDBPyConnection", names: Collection[str]) -> None:
        """Create what is called by these names, in place of what there was."""
        define(asking, self.now, names)
        if not scored_candidates.VIEWS.isdisjoint(names):
            scored_candidates.use(asking, self.now)
        self._defined.update(names)

    def move(self, asking: "duckdb.DuckDBPyConnection", now: Snapshot) -> None:
        """Show another snapshot. Views stay, because DuckDB looks up what they name when they are read."""
        changed = now.changed(self.now)
        others = {name for name in self._defined if not changed.isdisjoint(sql_files.tables_of([name]))}
        self.now = now
        self._checked.clear()
        self.define(asking, others | (self._defined & {sql_files.STAGES, *scored_candidates.VIEWS}))


def _connect(shown: _Shown, names: frozenset[str], **config: Any) -> "duckdb.DuckDBPyConnection":
    connection = sql_files.connect(temp_directory=str(spill_folder(shown.now.root)), **config)
    shown.define(connection, names)
    sql_files.prepare_reads(connection, shown.prepare)
    return connection


def _define_stages(connection: "duckdb.DuckDBPyConnection", records: list[Record]) -> None:
    connection.execute(sql_files.text("tables/stages"))
    rows = [map(str, record.row()) for record in records]
    columns = [list(column) for column in zip(*rows, strict=True)]
    if rows:  # all in one statement, because one for each row takes a millisecond a row
        connection.execute(sql_files.text("workspace/insert_stages"), {"records": columns})
