"""A DuckDB connection that can only read a workspace's tables.

It has every table and view. It cannot read other files, write files, load extensions or change settings. This
protects against accidents and careless queries, not against hostile ones.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from curate import sql_files
from curate.errors import BadSettings, CurateError, NoSpace
from curate.snapshot import Snapshot
from curate.workspace import Workspace

if TYPE_CHECKING:
    import duckdb

MEMORY = "50%"
SPILL = "50GB"


@contextmanager
def sandbox(workspace: Workspace) -> Iterator["duckdb.DuckDBPyConnection"]:
    """Yield the connection; DuckDB's errors become curate's own, as in `own_errors`."""
    with own_errors(), read_only(workspace, workspace.snapshot()) as connection:
        yield connection


@contextmanager
def read_only(workspace: Workspace, now: Snapshot) -> Iterator["duckdb.DuckDBPyConnection"]:
    """Yield a connection that reads a snapshot of the workspace and nothing else."""
    with workspace.connect(now, memory_limit=MEMORY, max_temp_directory_size=SPILL) as connection:
        sql_files.execute(connection, "workspace/sandbox_paths", paths=[str(path) for path in now.files()])
        sql_files.execute(connection, "workspace/sandbox_access")
        sql_files.execute(connection, "workspace/sandbox_lock")
        yield connection


@contextmanager
def own_errors() -> Iterator[None]:
    """Have DuckDB's errors in the block become curate's own; BadSettings means that the query is wrong."""
    import duckdb

    try:
        yield
    except duckdb.InterruptException as error:
        raise KeyboardInterrupt from error
    except duckdb.OutOfMemoryException as error:
        raise NoSpace(f"the query needs more than half of the memory: {explain(error)}") from error
    except duckdb.IOException as error:
        raise CurateError(f"a table cannot be read: {explain(error)}", run="curate rebuild") from error
    except duckdb.Error as error:
        raise BadSettings(explain(error)) from error


def only_select(connection: "duckdb.DuckDBPyConnection", query: str) -> None:
    """Raise BadSettings unless `query` is exactly one SELECT, or EXPLAIN of one, that changes nothing.

    The kind of the statement is not enough to tell: DuckDB 2 accepts COPY and INSERT inside WITH, and EXPLAIN
    ANALYZE runs the statement that it explains.
    """
    statements = connection.extract_statements(query)
    if len(statements) != 1:
        raise BadSettings(f"expected one statement, found {len(statements)}")
    kind = statements[0].type.name
    inner = statements[0].query
    if kind == "EXPLAIN":
        inner = re.sub(r"\A\s*explain\s+(analyze\s+)?", "", inner, count=1, flags=re.IGNORECASE)
    if kind not in ("SELECT", "EXPLAIN") or not _is_select(connection, inner):
        raise BadSettings("queries are read-only: give one SELECT (or EXPLAIN SELECT) over the workspace's tables")


def explain(error: Exception) -> str:
    """Return DuckDB's message as one line, without the kind of error and without the text of the query."""
    message = str(error).partition("\n\nLINE ")[0]
    message = re.sub(r"\A[\w ]*Error: ", "", message)
    return " ".join(message.split())[:500]


def _is_select(connection: "duckdb.DuckDBPyConnection", query: str) -> bool:
    answer = sql_files.select(connection, "workspace/is_select", query=query).fetchall()
    return bool(answer[0][0])
