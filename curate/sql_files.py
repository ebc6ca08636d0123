"""The SQL files, and the DuckDB connections that have their tables, macros and views.

`sql/tables` holds the schemas of the Parquet shards. `sql/macros`, `sql/views` and `sql/training_set/found.sql`
derive from them. `sql/reports` holds the named queries for users, and each of the other folders holds the queries
of one step. Code refers to a file by its path below `sql/`, without the suffix: "export/blocks".
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
)
# Where a view has the name of a table, the shards of the table get another name. The SQL file defines both.
SHARDS_OF = {"queries": "stored_queries", "cutoffs": "stored_cutoffs", "models": "stored_models"}
MACROS = (
    "macros/passage_text",
    "macros/probability",
    "macros/draw",
    "macros/decision",
    "macros/is_judged",
    "macros/is_denoised",
    "macros/pseudo_label_place",
    "macros/place_in_epoch",
    "macros/training_of",
)
VIEWS = (
    "views/models",
    "views/queries",
    "views/training_queries",
    "views/judgements",
    "views/positives",
    "views/duplicates",
    "views/candidate_sources",
    "views/cutoffs",
    "views/decisions",
    "training_set/found",
    "views/leaked_queries",
    "views/pseudo_labels",
)
TABLE_MACROS = ("macros/pairs_to_score",)  # defined last, because they read views


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
    statement = text(path)
    return connection.sql(statement, params=_bound(statement, parameters) or None)


def execute(connection: "duckdb.DuckDBPyConnection", path: str, /, **parameters: Any) -> None:
    """Run the statement in `sql/<path>.sql`; parameters that it does not name are ignored."""
    statement = text(path)
    connection.execute(statement, _bound(statement, parameters))


def _bound(statement: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return only the parameters that a statement names, because DuckDB refuses any others."""
    return {name: parameters[name] for name in parameter_names(statement)}


def parameter_names(statement: str) -> list[str]:
    """Return the names of a statement's parameters, sorted; comments are ignored."""
    return sorted(set(re.findall(r"\$([a-z_]+)", re.sub(r"--.*", "", statement))))


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


def define(connection: "duckdb.DuckDBPyConnection", shards: Mapping[str, Iterable[Path]]) -> None:
    """Create every table (as a view over its Parquet `shards`), macro and view on `connection`."""
    for table in TABLES:
        paths = [str(path) for path in shards[table]]
        connection.read_parquet(paths).create_view(SHARDS_OF.get(table, table), replace=True)
    for path in (*MACROS, *VIEWS, *TABLE_MACROS):
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
