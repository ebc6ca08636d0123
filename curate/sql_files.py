"""The SQL files by name, and a DuckDB connection on which they all stand.

`sql/tables` holds the schemas of the Parquet shards, `sql/macros` and `sql/views` what is derived from
them, `sql/reports` the named queries that people ask for, `sql/stages` the steps of the stages.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
# A table with a view of its own name keeps its shards under another one; both stand in its SQL file.
SHARDS_OF = {"queries": "stored_queries", "cutoffs": "stored_cutoffs", "models": "stored_models"}
MACROS = ("passage_text", "probability", "draw", "decision", "training_of")
TABLE_MACROS = ("pairs_to_score",)
VIEWS = (
    "models",
    "queries",
    "training_queries",
    "judgements",
    "positives",
    "duplicates",
    "candidate_sources",
    "cutoffs",
    "decisions",
    "leaked_questions",
    "pseudo_labels",
)


def sql(kind: str, name: str) -> str:
    """Return the text of `sql/<kind>/<name>.sql`."""
    return (files("curate.sql") / kind / f"{name}.sql").read_text("utf-8")


def names(kind: str) -> list[str]:
    """Return the names of the relations in `sql/<kind>`, sorted."""
    return sorted(
        entry.name.removesuffix(".sql")
        for entry in (files("curate.sql") / kind).iterdir()
        if entry.name.endswith(".sql")
    )


def purpose(kind: str, name: str) -> str:
    """Return the first line of a SQL file without its comment marker: what the relation is, and its grain."""
    return sql(kind, name).partition("\n")[0].removeprefix("-- ")


def bound(statement: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that a statement names: DuckDB refuses more."""
    return {name: parameters[name] for name in sorted(set(re.findall(r"\$(\w+)", statement)))}


@cache
def schema(table: str) -> "pa.Schema":
    """Return the Arrow schema of a table's shards, read from `sql/tables`."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute(sql("tables", table))
        return connection.table(SHARDS_OF.get(table, table)).to_arrow_table().schema


def define(connection: "duckdb.DuckDBPyConnection", shards: Mapping[str, Iterable[Path]]) -> None:
    """Create every table (as a view over its Parquet `shards`), macro and view on `connection`."""
    for table in TABLES:
        paths = [str(path) for path in shards[table]]
        connection.read_parquet(paths).create_view(SHARDS_OF.get(table, table), replace=True)
    for kind, relations in (("macros", MACROS), ("views", VIEWS), ("macros", TABLE_MACROS)):
        for name in relations:
            connection.execute(sql(kind, name))


def connect(path: str = ":memory:", **config: Any) -> "duckdb.DuckDBPyConnection":
    """Return a DuckDB connection that never reads Python variables and never loads an extension.

    A file is stored in the format of DuckDB 1.5, which every later version opens.
    """
    import duckdb

    return duckdb.connect(
        path,
        config={
            "python_enable_replacements": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "storage_compatibility_version": "v1.5.0",
            **config,
        },
    )
