"""The shared parts of the commands: the workspace, the progress and the output."""

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

import click

from curate.cli.log import LOGGER
from curate.cli.shared_options import shared
from curate.errors import BadSettings, CurateError, Damaged
from curate.progress import SILENT, Advance, Lines, Progress
from curate.query_output import SCHEMA, cells, write_csv
from curate.reports.safe_text import visible
from curate.suggest import curate_command
from curate.workspace import Workspace

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
ROWS = ("table", "json", "ndjson", "csv")
"""The formats of a command that prints rows."""
JSON = "curate.json"
dry_run_option = click.option(
    "--dry-run",
    is_flag=True,
    help="Show what is left to do, what is done and how long it takes; change nothing.",
)


def rows_options(
    forms: Sequence[str] = ROWS, default: str | None = "table", about: str | None = None
) -> Callable[..., Any]:
    """Return a decorator for a command that prints rows: it adds `--format`, and `--json` for one of its values.

    The command gets the chosen format as `form`. default: None if it depends on where the rows go, as `about`
    says.
    """
    told = about or default or "table in a terminal, csv elsewhere"

    def decorated(command: Callable[..., Any]) -> Callable[..., Any]:
        form = click.option(
            "--format",
            "form",
            type=click.Choice(forms),
            default=default,
            callback=_form,
            help=f"Output format [{told}].",
        )
        short = click.option(
            "--json",
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_keep,
            help="Same as --format json.",
        )
        return form(short(command))

    return decorated


def _keep(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    context.meta[JSON] = wanted


def _form(context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    return "json" if context.meta.get(JSON) else value


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


def workspace(*, refresh: bool = True) -> Workspace:
    """Return the workspace that contains the current folder, with the settings of `--config` and `--set`.

    refresh: whether its catalogue is refreshed if it is out of date.
    """
    here = Workspace.find()
    if refresh:
        _refresh(here)
    given = shared()
    if given.config or given.settings:
        from curate.settings_layers import combined, layers

        return Workspace(here.root, combined(layers(here.root, given.config, given.settings)))
    return here


def _refresh(here: Workspace) -> None:
    try:
        if not here.catalogue_is_current() and not here.refresh_catalogue():
            click.echo("note: curate.duckdb is out of date, because another program has it open", err=True)
    except Damaged:
        pass  # the command itself says what is damaged
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


def show_rows(form: str, rows: Sequence[Mapping[str, Any]], whole: Mapping[str, Any]) -> None:
    """Print rows on stdout as csv, ndjson or json; `whole` is the JSON, which has the rows under its schema."""
    if form == "json":
        say_json(whole)
    elif form == "ndjson":
        for row in rows:
            say_json(row)
    else:
        write_csv([*rows[0]] if rows else [], map(cells, rows), stdout())


def stdout() -> "Terminal | TextIO":
    """Return stdout; if it is a terminal, nothing that is written can control it."""
    return Terminal() if sys.stdout.isatty() else sys.stdout


class Terminal:
    """A stream to a terminal, by default stdout, in which nothing can control the terminal."""

    def __init__(self, stream: "SupportsWrite[str] | None" = None) -> None:
        self.stream = stream or sys.stdout

    def write(self, text: str) -> object:
        """Print a text."""
        return self.stream.write(visible(text))


def confirm(deletion: str, yes: bool, *command: str) -> None:
    """Ask before something is deleted, unless `yes` says so already.

    Raises BadSettings, with the command to run, if there is no terminal in which somebody could answer, and
    CurateError if the answer is no.
    """
    if yes:
        return
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        raise BadSettings(f"{deletion}, which nobody can confirm here", run=curate_command(*command, "--yes"))
    if not click.confirm(visible(f"{deletion}. Go on?"), err=True):
        raise CurateError("nothing was deleted, because the answer was no.")


def say(text: str) -> None:
    """Print a text on stdout, in which nothing can control the terminal."""
    click.echo(visible(text))


def say_json(value: Any) -> None:
    """Print a value as one line of JSON. In a terminal it is ASCII, so that no text can control it."""
    click.echo(json.dumps(value, ensure_ascii=sys.stdout.isatty(), default=str))
