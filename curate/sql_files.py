"""The SQL files, and the DuckDB connections that have their tables, macros and views.

`sql/tables` holds the schemas of the Parquet shards. `sql/macros`, `sql/views` and `sql/training_set/found.sql`
derive from them. `sql/reports` holds the named queries for users, and each of the other folders holds the queries
of one step. Code refers to a file by its path below `sql/`, without the suffix: "export/blocks".
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from curate import connections

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

TABLES = (
    "passages",
    "queries",
    "qrels",
    "candidates",
    "scores",
    "annotations",
    "runs",
    "models",
    "cutoffs",
    "metrics",
    "rejects",
    "claims",
    "own_copies",
    "choices",
    "judge_queries",
)
# Where a view has the name of a table, the shards of the table get another name. The SQL file defines both.
SHARDS_OF = {name: f"stored_{name}" for name in ("queries", "qrels", "annotations", "cutoffs", "models")}
STAGES = "stages"
# Views that steps define over some shards of a table -> the table.
SOME_SHARDS_OF = {"ledger_shards": "scores", "passage_shard": "passages"}
MACROS = (
    "macros/passage_text",
    "macros/probability",
    "macros/draw",
    "macros/decision",
    "macros/decided_by",
    "macros/is_judged",
    "macros/is_denoised",
    "macros/pseudo_label_place",
    "macros/place_in_epoch",
    "macros/training_of",
)
VIEWS = (
    "views/models",
    "views/seen_queries",
    "views/held_out",
    "views/queries",
    "views/qrels",
    "views/annotations",
    "views/training_queries",
    "views/judgements",
    "views/positives",
    "views/duplicates",
    "views/candidate_sources",
    "views/usable_candidates",
    "views/cutoffs",
    "views/decisions",
    "training_set/found",
    "views/leaked_queries",
    "views/pseudo_labels",
    "views/current_cutoffs",
    "views/current_runs",
    "views/current_decisions",
    "views/current_pseudo_labels",
)
TABLE_MACROS = ("macros/pairs_to_score", "macros/judge_by_query")  # defined last, because they read views
# Functions by which a query reads a table without naming it as one word.
# The words alone count, because comments may stand between them and the bracket.
DYNAMIC = re.compile(r"(?<![$\w])(query|query_table|read_parquet|parquet_scan)\b", re.IGNORECASE)

Check = Callable[[frozenset[str]], None]
"""A function that raises an error if the shards of tables are damaged."""
_CHECKS: "WeakKeyDictionary[duckdb.DuckDBPyConnection, Check]" = WeakKeyDictionary()


def text(path: str) -> str:
    """Return the text of `sql/<path>.sql`."""
    return files("curate.sql").joinpath(f"{path}.sql").read_text("utf-8")


def select(
    connection: "duckdb.DuckDBPyConnection",
    path: str,
    /,
    **parameters: Any,
) -> "duckdb.DuckDBPyRelation":
    """Return the rows of the query in `sql/<path>.sql`; parameters that it does not name are ignored."""
    statement = code(path)
    return query(connection, statement, _bound(statement, parameters))


def execute(connection: "duckdb.DuckDBPyConnection", path: str, /, **parameters: Any) -> None:
    """Run the statement in `sql/<path>.sql`; parameters that it does not name are ignored."""
    statement = code(path)
    _check(connection, statement)
    connection.execute(statement, _bound(statement, parameters))


def query(
    connection: "duckdb.DuckDBPyConnection", statement: str, parameters: Mapping[str, Any] | None = None
) -> "duckdb.DuckDBPyRelation":
    """Return the rows of a query, after checking the tables that it reads (`check_reads`)."""
    _check(connection, statement)
    return connection.sql(statement, params=dict(parameters) if parameters else None)


def check_reads(connection: "duckdb.DuckDBPyConnection", check: Check) -> None:
    """Have `check` called with the names of the tables that a statement on `connection` reads, before it runs."""
    _CHECKS[connection] = check


def cursor(connection: "duckdb.DuckDBPyConnection") -> "duckdb.DuckDBPyConnection":
    """Return a connection of its own to the same tables, with the same checks."""
    other = connections.remember(connection.cursor())
    if connection in _CHECKS:
        _CHECKS[other] = _CHECKS[connection]
    return other


def _check(connection: "duckdb.DuckDBPyConnection", statement: str) -> None:
    check = _CHECKS.get(connection)
    if check:
        check(tables_read(statement))


@cache
def tables_read(statement: str) -> frozenset[str]:
    """Return the tables that a statement reads, directly or through views and macros."""
    return frozenset(_tables_named()[name] for name in names_read(statement) & _tables_named().keys())


@cache
def names_read(statement: str) -> frozenset[str]:
    """Return the names of all shards, views and macros that a statement reads, directly or through others.

    Every word of the statement that is such a name counts. These may be too many names, but never too few.
    """
    if DYNAMIC.search(statement):
        return _known_names()
    words, read = _words(statement), set[str]()
    while words:
        read |= words & _known_names()
        words = set().union(*(_words_of().get(word, ()) for word in words)) - read
    return frozenset(read)


@cache
def _known_names() -> frozenset[str]:
    return frozenset({STAGES, *_tables_named(), *_words_of()})


@cache
def _tables_named() -> dict[str, str]:
    return {SHARDS_OF.get(table, table): table for table in TABLES} | SOME_SHARDS_OF


@cache
def _words_of() -> dict[str, set[str]]:
    """Return the words in the definition of each view and macro."""
    return {path.rpartition("/")[2]: _words(code(path)) for path in (*MACROS, *VIEWS, *TABLE_MACROS)}


def _words(statement: str) -> set[str]:
    return set(re.findall(r"\w+", statement.lower()))


def _bound(statement: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return only the parameters that a statement names, because DuckDB refuses any others."""
    return {name: parameters[name] for name in parameter_names(statement)}


def parameter_names(statement: str) -> list[str]:
    """Return the names of a statement's parameters, sorted; comments are ignored."""
    return sorted(set(re.findall(r"\$([a-z_]+)", _without_comments(statement))))


@cache
def code(path: str) -> str:
    """Return the text of `sql/<path>.sql` without its comments, which may name tables that it does not read."""
    return _without_comments(text(path))


def _without_comments(statement: str) -> str:
    return re.sub(r"--.*", "", statement)


def report_names() -> list[str]:
    """Return the names of the queries in `sql/reports`, sorted."""
    folder = files("curate.sql").joinpath("reports")
    return sorted(entry.name.removesuffix(".sql") for entry in folder.iterdir() if entry.name.endswith(".sql"))


def view_names() -> list[str]:
    """Return the names of the views, in the order in which they build on each other."""
    return [path.rpartition("/")[2] for path in VIEWS]


def purpose(path: str) -> str:
    """Return the first line of a SQL file without its comment marker: the purpose and the grain."""
    return text(path).partition("\n")[0].removeprefix("-- ")


@cache
def schema(table: str) -> "pa.Schema":
    """Return the Arrow schema of a table's shards, read from `sql/tables`."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute(text(f"tables/{table}"))
        return connection.table(SHARDS_OF.get(table, table)).to_arrow_table().schema


def define(
    connection: "duckdb.DuckDBPyConnection",
    shards: Callable[[str], Iterable[Path]],
    names: Collection[str] | None = None,
) -> None:
    """Create the tables (as views over their Parquet shards), macros and views on `connection`.

    shards: a function from a table to its shards. names: what is needed, as `names_read` gives it; by default all.
    DuckDB binds every view when it creates it, which takes most of the time of a short query.
    """
    wanted = _known_names() if names is None else names
    for table in TABLES:
        name = SHARDS_OF.get(table, table)
        if name in wanted:
            connection.read_parquet([str(path) for path in shards(table)]).create_view(name, replace=True)
    for path in (*MACROS, *VIEWS, *TABLE_MACROS):
        if path.rpartition("/")[2] in wanted:
            connection.execute(text(path))


def connect(path: str = ":memory:", **config: Any) -> "duckdb.DuckDBPyConnection":
    """Return a DuckDB connection that never reads Python variables and never loads an extension.

    A file is stored in the format of DuckDB 1.5, which every later version opens.
    """
    import duckdb

    options: dict[str, Any] = {
        "python_enable_replacements": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "storage_compatibility_version": "v1.5.0",
    }
    return connections.remember(duckdb.connect(path, config={**options, **config}))
