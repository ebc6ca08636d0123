"""The shared parts of the commands: the workspace, the progress and the output."""

import contextlib
import dataclasses
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from curate.cli.log import LOGGER
from curate.cli.shared_options import shared
from curate.errors import CurateError, Damaged
from curate.progress import SILENT, Advance, Lines, Progress
from curate.query_output import SCHEMA
from curate.reports.safe_text import visible
from curate.workspace import Workspace

json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
dry_run_option = click.option(
    "--dry-run",
    is_flag=True,
    help="Show what is left to do, what is done and how long it takes; change nothing.",
)


class Shown:
    """A progress whose texts cannot control the terminal, and which the log has too."""

    def __init__(self, inner: Progress) -> None:
        self.inner = inner

    @contextmanager
    def task(self, description: str, total: int, unit: str, done: int = 0) -> Iterator[Advance]:
        """Show a task while the block runs."""
        LOGGER.info("%s: %d of %d %s are done", description, done, total, unit)
        with self.inner.task(visible(description), total, unit, done) as advance:
            yield advance

    def say(self, text: str) -> None:
        """Show one line."""
        LOGGER.info("%s", text)
        self.inner.say(visible(text))


def workspace() -> Workspace:
    """Return the workspace that contains the current folder, with the settings of `--config` and `--set`.

    Its catalogue is refreshed if it is out of date.
    """
    here = Workspace.find()
    _refresh(here)
    given = shared()
    if given.config or given.settings:
        from curate.settings_layers import combined, layers

        return Workspace(here.root, combined(layers(here.root, given.config, given.settings)))
    return here


def _refresh(here: Workspace) -> None:
    with contextlib.suppress(Damaged):  # the command itself says what is damaged
        try:
            if not here.catalogue_is_current() and not here.refresh_catalogue():
                click.echo("note: curate.duckdb is out of date, because another program has it open", err=True)
        except CurateError as error:
            click.echo(visible(f"note: {error}"), err=True)


def progress() -> Progress:
    """Return the progress of this call: a bar in a terminal, lines elsewhere, nothing with `--quiet`."""
    given = shared()
    if given.quiet:
        return Shown(SILENT)
    if given.bars and sys.stderr.isatty():
        from curate.cli.bar import Bar

        return Shown(Bar())
    return Shown(Lines())


def show(result: Any, as_json: bool) -> None:
    """Print a stage's result on stdout: its `text()`, or its fields as JSON.

    The key `schema` names the kind of result. Fields keep their names as long as the number at its end stays.
    """
    if as_json:
        say_json({"schema": f"curate.{type(result).__name__.lower()}/{SCHEMA}", **dataclasses.asdict(result)})
    else:
        say(result.text())


def say(text: str) -> None:
    """Print a text on stdout, in which nothing can control the terminal."""
    click.echo(visible(text))


def say_json(value: Any) -> None:
    """Print a value as one line of JSON. In a terminal it is ASCII, so that no text can control it."""
    click.echo(json.dumps(value, ensure_ascii=sys.stdout.isatty(), default=str))
