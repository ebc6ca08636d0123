"""The DuckDB connections of this process, so that a signal can interrupt their queries."""

from contextlib import suppress
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    import duckdb

_OPEN: "WeakSet[duckdb.DuckDBPyConnection]" = WeakSet()


def remember(connection: "duckdb.DuckDBPyConnection") -> "duckdb.DuckDBPyConnection":
    """Return `connection`, whose queries `interrupt` will stop."""
    _OPEN.add(connection)
    return connection


def interrupt() -> None:
    """Stop the queries that run now, from any thread; they raise duckdb.InterruptException."""
    for connection in list(_OPEN):
        with suppress(Exception):  # DuckDB refuses a connection that was closed in the meantime
            connection.interrupt()
