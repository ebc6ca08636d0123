"""What a shell completes: the names that are in the workspace."""

from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem


class Known(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """A text that the shell can complete from the names that a function returns."""

    name = "text"

    def __init__(self, names: Callable[[], list[str]]) -> None:
        self.names = names

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        """Return the names that begin like `incomplete`; none if the folder is not a workspace."""
        try:
            names = self.names()
        except Exception:  # noqa: BLE001  (a shell must not print an error while somebody types)
            return []
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _column(table: str, column: str) -> list[str]:
    from curate import sql_files
    from curate.workspace import Workspace

    with Workspace.find().connect_lazily() as connection:
        sql_files.prepare(connection, table)
        rows: list[tuple[Any, ...]] = connection.table(table).project(column).distinct().fetchall()
    return sorted(str(row[0]) for row in rows)


def _runs() -> list[str]:
    return _column("runs", "run_id")


def _cutoffs() -> list[str]:
    return _column("cutoffs", "name")


def _reports() -> list[str]:
    from curate import sql_files

    return [*sql_files.report_names(), "query"]


def _names() -> list[str]:
    from curate import sql_files

    return sorted({*sql_files.report_names(), *sql_files.TABLES, *sql_files.view_names(), "stages"})


REPORTS, NAMES = Known(_reports), Known(_names)
TYPES: dict[str, Known] = {"run": Known(_runs), "against": Known(_runs), "cutoffs": Known(_cutoffs)}
"""Name of an option or argument -> what completes it, in every command."""
