"""`curate sql`: read-only queries on the tables."""

import json
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from curate.cli.completion_values import NAMES
from curate.cli.options import ROWS, progress, rows_options, say, stdout, workspace
from curate.errors import BadSettings

if TYPE_CHECKING:
    import duckdb

FORMS = (*ROWS, "parquet")
SUFFIXES = {".parquet": "parquet", ".csv": "csv", ".json": "json", ".ndjson": "ndjson", ".jsonl": "ndjson"}
SHOWN = 40
STDOUT = ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")


@click.command()
@click.argument("query", metavar="QUERY_OR_NAME", required=False, type=NAMES)
@click.option(
    "-p",
    "--param",
    "given",
    multiple=True,
    metavar="KEY=VALUE",
    help="Value of $KEY in the query; may be repeated.",
)
@click.option(
    "--list", "list_all", is_flag=True, help="List named queries with examples, views, tables and macros."
)
@click.option(
    "--explain", is_flag=True, help="Print the SQL file of NAME, with its comments, instead of running it."
)
@rows_options(FORMS, default=None)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write; its suffix sets the format. - is stdout.",
)
@click.option(
    "--raw", is_flag=True, help="Write CSV cells unchanged, even those that a spreadsheet takes for formulas."
)
def sql(
    query: str | None,
    given: tuple[str, ...],
    list_all: bool,
    explain: bool,
    form: str | None,
    output: Path | None,
    raw: bool,
) -> None:
    """Query the tables: one SELECT over the workspace's tables and views, or the NAME of a query.

    Without a query, a shell opens in a terminal, with completion and history; .help in it lists its commands.
    Nothing is changed, and only files of the workspace's tables can be read. `-` reads the query from stdin.
    The table format shows 40 rows; every other format has all rows.

    \b
    Example:
      curate sql
      curate sql --list
      curate sql funnel
      curate sql suspects -p limit=5 --json
      curate sql "select decision, count(*) from decisions group by decision"
      curate sql "from candidates" --output candidates.parquet
    """
    from curate.cli import sql_names

    if list_all:
        click.echo(json.dumps(sql_names.as_rows()) if form == "json" else sql_names.listing().rstrip("\n"))
    elif not query:
        if given or explain or output or raw or form == "parquet" or not _is_terminal():
            raise BadSettings("no query: give a SELECT, or the NAME of a query", run="curate sql --list")
        from curate.cli.sql_shell import shell

        shell.run(workspace(), form or "table")
    elif explain:
        click.echo(sql_names.source(query), nl=False)
    else:
        chosen = _form(form, output)
        output = None if str(output) in STDOUT else output
        _run(_read_stdin() if query == "-" else query, sql_names.parameters(given), chosen, output, raw)


def _run(query: str, given: dict[str, str], form: str, output: Path | None, raw: bool) -> None:
    from curate import query_output, sql_files
    from curate.cli import sql_names
    from curate.sandbox import only_select, sandbox
    from curate.workspace import check_output

    here = workspace()
    if output:
        check_output(output)
    query, parameters, notes = sql_names.resolved(here, query, given)
    for note in notes:
        progress().say(note)
    with sandbox(here) as connection:
        only_select(connection, query)
        result = sql_files.query(connection, query, parameters)
        if output:
            query_output.write_file(result, form, output, raw=raw)
        elif form == "table":
            _table(result)
        elif form == "parquet":
            query_output.write_stream(result, form, sys.stdout.buffer)
        else:
            query_output.write_text(result, form, stdout(), raw=raw)


def _is_terminal() -> bool:
    return bool(sys.stdin and sys.stdin.isatty() and sys.stdout.isatty())


def _read_stdin() -> str:
    """Return the query on stdin; raises BadSettings if stdin is closed or holds no UTF-8."""
    if sys.stdin is None:
        raise BadSettings("stdin is closed, but the query - is read from it")
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise BadSettings(f"the query on stdin is not UTF-8: {error}") from error


def _table(result: "duckdb.DuckDBPyRelation") -> None:
    from curate import query_output
    from curate.reports.tables import print_table

    rows = query_output.text_rows(result)
    plan = query_output.plan(result.columns, rows)
    if plan is not None:
        say(plan)
        return
    shown = list(islice(rows, SHOWN))
    more = sum(1 for _ in rows)
    print_table(result.columns, shown)
    if more:
        click.echo(f"... and {more:,} more rows. To see all of them: --format csv, or --output FILE", err=True)
    elif not shown:
        click.echo("0 rows", err=True)


def _form(form: str | None, output: Path | None) -> str:
    by_suffix = SUFFIXES.get(output.suffix) if output else None
    chosen = form or by_suffix or ("table" if sys.stdout.isatty() and not output else "csv")
    if chosen == "parquet" and (not output or (str(output) in STDOUT and sys.stdout.isatty())):
        raise BadSettings("parquet is a binary format. Write it to a file: --output FILE.parquet")
    if chosen == "table" and output:
        raise BadSettings(
            "table is a format for terminals. For a file give: --format csv, json, ndjson or parquet"
        )
    return chosen
