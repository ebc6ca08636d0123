"""The names that the shell completes: those of the SQL files, and those in the workspace."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from curate import sql_comments, sql_files
from curate.cli import sql_names

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Vocabulary:
    """Names, each with what is said about it."""

    relations: Mapping[str, str]
    """Tables and views."""
    columns: Mapping[str, Mapping[str, str]]
    """Relation -> column -> what is said about it, in the order of the columns."""
    types: Mapping[str, Mapping[str, str]]
    """Relation -> column -> its type."""
    macros: Mapping[str, str]
    queries: Mapping[str, str]
    """Named queries."""
    parameters: Mapping[str, list[str]]
    """Named query -> its parameters."""
    values: Mapping[str, list[str]]
    """Column -> values that it can have, for columns with few of them."""


def read(connection: "duckdb.DuckDBPyConnection") -> Vocabulary:
    """Return the names that a connection to a workspace has."""
    types: dict[str, dict[str, str]] = {}
    for relation, column, its in sql_files.select(connection, "workspace/columns").fetchall():
        types.setdefault(relation, {})[column] = its
    values: dict[str, list[str]] = {"decision": decisions()}
    for column, value in sql_files.select(connection, "workspace/names").fetchall():
        values.setdefault(column, []).append(value)
    entries = sql_names.entries()
    queries = [entry for entry in entries if entry.kind == "reports"]
    return Vocabulary(
        relations={name: purpose(name) for name in types},
        columns={name: _explained(name, list(its)) for name, its in types.items()},
        types=types,
        macros={entry.name: entry.purpose for entry in entries if entry.kind == "macros"},
        queries={entry.name: entry.purpose for entry in queries},
        parameters={entry.name: entry.parameters for entry in queries},
        values=values,
    )


def decisions() -> list[str]:
    """Return the values of the column decision."""
    return re.findall(r"(?:then|else) '(\w+)'", sql_files.code("macros/decision"))


def purpose(relation: str) -> str:
    """Return what the SQL file of a table or view says that it is; an empty text for one of the user's own."""
    path = sql_files.path_of(relation)
    return sql_files.purpose(path).partition(": ")[2] if path else ""


def _explained(relation: str, columns: list[str]) -> dict[str, str]:
    about = sql_comments.of_columns(relation, columns)
    return {column: about.get(column, "") for column in columns}
