"""A DuckDB connection that reads a workspace's tables and can do nothing else.

Every table and view stands on it; no other file can be read, none can be written, no extension loaded, no
setting changed. It protects against accidents and careless queries. It is no prison for hostile ones.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from curate import sql_files
from curate.errors import BadSettings, CurateError, NoSpace
from curate.workspace import Workspace

if TYPE_CHECKING:
    import duckdb

MEMORY = "50%"
SPILL = "50GB"


@contextmanager
def sandbox(workspace: Workspace) -> Iterator["duckdb.DuckDBPyConnection"]:
    """Yield the connection; DuckDB's errors leave as curate's own (BadSettings: the query is wrong)."""
    import duckdb

    try:
        with workspace.connect(memory_limit=MEMORY, max_temp_directory_size=SPILL) as connection:
            paths = [str(path) for table in sql_files.TABLES for path in workspace.shards(table)]
            sql_files.execute(connection, "workspace/sandbox_paths", paths=paths)
            sql_files.execute(connection, "workspace/sandbox_access")
            sql_files.execute(connection, "workspace/sandbox_lock")
            yield connection
    except duckdb.InterruptException as error:
        raise KeyboardInterrupt from error
    except duckdb.OutOfMemoryException as error:
        raise NoSpace(f"the query needs more than half of the memory: {explain(error)}") from error
    except duckdb.IOException as error:
        raise CurateError(f"a table cannot be read: {explain(error)}. Run: curate rebuild") from error
    except duckdb.Error as error:
        raise BadSettings(explain(error)) from error


def only_select(connection: "duckdb.DuckDBPyConnection", query: str) -> None:
    """Raise BadSettings unless `query` is exactly one SELECT, or EXPLAIN of one, that changes nothing.

    DuckDB 2 takes COPY and INSERT inside WITH, and EXPLAIN ANALYZE runs what it explains: the kind of the
    statement is not enough.
    """
    statements = connection.extract_statements(query)
    if len(statements) != 1:
        raise BadSettings(f"one statement at a time, found {len(statements)}")
    kind = statements[0].type.name
    inner = statements[0].query
    if kind == "EXPLAIN":
        inner = re.sub(r"\A\s*explain\s+(analyze\s+)?", "", inner, count=1, flags=re.IGNORECASE)
    if kind not in ("SELECT", "EXPLAIN") or not _is_select(connection, inner):
        raise BadSettings("read-only: a query is one SELECT (or EXPLAIN SELECT) over the workspace's tables")


def explain(error: Exception) -> str:
    """Return DuckDB's message in one line: without its kind, and without the query repeated."""
    message = str(error).partition("\n\nLINE ")[0]
    message = re.sub(r"\A[\w ]*Error: ", "", message)
    return " ".join(message.split())[:500]


def _is_select(connection: "duckdb.DuckDBPyConnection", query: str) -> bool:
    answer = sql_files.select(connection, "workspace/is_select", query=query).fetchall()
    return bool(answer[0][0])
