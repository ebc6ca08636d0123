"""The names in `curate sql`: named queries, views, tables and macros, and the queries that they stand for."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import click

from curate import named_queries, sql_comments, sql_files
from curate.errors import BadSettings, UnknownName
from curate.nearest import nearest
from curate.suggest import curate_command
from curate.workspace import Workspace

TITLES = {
    "reports": "Named queries (curate sql NAME -p KEY=VALUE)",
    "views": "Views",
    "tables": "Tables",
    "macros": "Macros",
}
WIDTH = 100


@dataclass(frozen=True)
class Entry:
    """A name, and what its SQL file says about it."""

    kind: str
    name: str
    purpose: str
    parameters: list[str]
    example: str | None
    """The command that its file gives as an example, for a named query."""


def entries() -> list[Entry]:
    """Return all names, kind by kind."""
    found = []
    for kind, paths in _paths().items():
        for path in paths:
            shown, _, purpose = sql_files.purpose(path).partition(": ")
            parameters = sql_files.parameter_names(sql_files.text(path)) if kind == "reports" else []
            found.append(Entry(kind, shown, purpose, parameters, sql_comments.example(path)))
    return found


def as_rows() -> list[dict[str, Any]]:
    """Return all names as rows for programs."""
    return [asdict(entry) for entry in entries()]


def listing(*kinds: str, width: int = WIDTH) -> str:
    """Return the names of these kinds, or of all, each with its purpose; named queries with their examples."""
    formatter = click.HelpFormatter(width=width)
    for kind, title in TITLES.items():
        if not kinds or kind in kinds:
            with formatter.section(title):
                formatter.write_dl([row for entry in entries() if entry.kind == kind for row in _lines(entry)])
            if kind == "reports":
                with formatter.section("Parameters of named queries"):
                    formatter.write_dl([(f"${name}", about) for name, about in named_queries.PARAMETERS.items()])
                formatter.write_paragraph()
                formatter.write_text("curate sql --explain NAME prints one of them in full, with its comments.")
    return formatter.getvalue().strip() + "\n"


def source(name: str) -> str:
    """Return the SQL file of a name, with its comments; raises UnknownName, with the nearest one."""
    for paths in _paths().values():
        for path in paths:
            if path.endswith(f"/{name}"):
                return sql_files.text(path)
    raise UnknownName(f"nothing is named '{name}': {nearest(name, [entry.name for entry in entries()])}")


def parameters(given: Iterable[str]) -> dict[str, str]:
    """Return the values of parameters that are given as KEY=VALUE; raises BadSettings for any other form."""
    pairs = [text.partition("=") for text in given]
    for key, equals, _ in pairs:
        if not (key and equals):
            raise BadSettings(f"expected a parameter KEY=VALUE, found '{key}'")
    return {key: value for key, _, value in pairs}


def resolved(workspace: Workspace, query: str, given: Mapping[str, str]) -> tuple[str, dict[str, Any], list[str]]:
    """Return the statement that a query or a name stands for, the values of its parameters, and notes."""
    if not query.isidentifier():
        return query, dict(given), []
    statement = _named(query)
    values = named_queries.values(workspace, query, given)
    return statement, values, named_queries.notes(workspace, given, values)


def _named(name: str) -> str:
    tables = (*sql_files.TABLES, *sql_files.view_names(), sql_files.STAGES)
    reports = sql_files.report_names()
    if name in reports:
        return named_queries.text(name)
    if name in tables:
        raise BadSettings(f"'{name}' is a table", run=curate_command("sql", f"from {name} limit 10"))
    raise UnknownName(f"no query named '{name}': {nearest(name, [*reports, *tables])}")


def _paths() -> dict[str, list[str]]:
    """Return kind -> paths of the SQL files of that kind."""
    return {
        "reports": [f"reports/{name}" for name in sql_files.report_names()],
        "views": list(sql_files.VIEWS),
        "tables": [f"tables/{name}" for name in (*sql_files.TABLES, sql_files.STAGES)],
        "macros": [*sql_files.MACROS, *sql_files.TABLE_MACROS],
    }


def _lines(entry: Entry) -> list[tuple[str, str]]:
    if not entry.example:
        return [(entry.name, entry.purpose)]
    parameters = " ".join(f"${name}" for name in entry.parameters)
    example = f"{entry.example}  [{parameters}]" if parameters else entry.example
    return [(entry.name, entry.purpose), ("", example)]
