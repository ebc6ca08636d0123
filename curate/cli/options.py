"""The shared parts of the commands: the workspace, the progress and the output."""

import contextlib
import dataclasses
import json
import sys
from typing import Any

import click

from curate.errors import CurateError, Damaged
from curate.progress import SILENT, Lines, Progress
from curate.query_output import SCHEMA
from curate.workspace import Workspace

json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
dry_run_option = click.option(
    "--dry-run",
    is_flag=True,
    help="Show what is left to do, what is done and how long it takes; change nothing.",
)


def workspace() -> Workspace:
    """Return the workspace that contains the current folder; its catalogue is refreshed if it is out of date."""
    here = Workspace.find()
    with contextlib.suppress(Damaged):  # the command itself says what is damaged
        try:
            if not here.catalogue_is_current() and not here.refresh_catalogue():
                click.echo("note: curate.duckdb is out of date, because another program has it open", err=True)
        except CurateError as error:
            click.echo(f"note: {error}", err=True)
    return here


def progress() -> Progress:
    """Return the progress of this call: a bar in a terminal, lines elsewhere, nothing with `--quiet`."""
    if click.get_current_context().find_root().obj["quiet"]:
        return SILENT
    if sys.stderr.isatty():
        from curate.cli.bar import Bar

        return Bar()
    return Lines()


def show(result: Any, as_json: bool) -> None:
    """Print a stage's result on stdout: its `text()`, or its fields as JSON.

    The key `schema` names the kind of result. Fields keep their names as long as the number at its end stays.
    """
    if as_json:
        fields = {"schema": f"curate.{type(result).__name__.lower()}/{SCHEMA}", **dataclasses.asdict(result)}
        click.echo(json.dumps(fields, ensure_ascii=False, default=str))
    else:
        click.echo(result.text())
