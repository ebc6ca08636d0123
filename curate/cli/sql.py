"""`curate sql`: read-only queries on the tables."""

import json
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from curate.cli.completion_values import NAMES
from curate.cli.options import ROWS, progress, rows_options, say, stdout, workspace
from curate.errors import BadSettings, UnknownName
from curate.nearest import nearest
from curate.suggest import curate_command

if TYPE_CHECKING:
    import duckdb

FORMS = (*ROWS, "parquet")
SUFFIXES = {".parquet": "parquet", ".csv": "csv", ".json": "json", ".ndjson": "ndjson", ".jsonl": "ndjson"}
SHOWN = 40
STDOUT = ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
TITLES = {
    "reports": "Named queries (curate sql NAME -p KEY=VALUE)",
    "views": "Views",
    "tables": "Tables",
    "macros": "Macros",
}


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
@click.option("--list", "list_all", is_flag=True, help="List named queries, views, tables and macros.")
@click.option("--explain", is_flag=True, help="Print the SQL file of NAME instead of running it.")
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

    Nothing is changed, and only files of the workspace's tables can be read. `-` reads the query from stdin.
    The table format shows 40 rows; every other format has all rows.

    \b
    Example:
      curate sql --list
      curate sql funnel
      curate sql suspects -p limit=5 --json
      curate sql "select decision, count(*) from decisions group by decision"
      curate sql "from candidates" --output candidates.parquet
    """
    if list_all:
        click.echo(_listing(form == "json"), nl=False)
    elif not query:
        raise BadSettings("no query: give a SELECT, or the NAME of a query", run="curate sql --list")
    elif explain:
        click.echo(_source(query), nl=False)
    else:
        chosen = _form(form, output)
        output = None if str(output) in STDOUT else output
        _run(_read_stdin() if query == "-" else query, _parameters(given), chosen, output, raw)


def _run(query: str, given: dict[str, str], form: str, output: Path | None, raw: bool) -> None:
    from curate import named_queries, query_output, sql_files
    from curate.sandbox import only_select, sandbox
    from curate.workspace import check_output

    here = workspace()
    if output:
        check_output(output)
    if query.isidentifier():
        name, query = query, _named(query)
        parameters = named_queries.values(here, name, given)
        for note in named_queries.notes(here, given, parameters):
            progress().say(note)
    else:
        parameters = dict(given)
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


def _read_stdin() -> str:
    """Return the query on stdin; raises BadSettings if stdin is closed or holds no UTF-8."""
    if sys.stdin is None:
        raise BadSettings("stdin is closed, but the query - is read from it")
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise BadSettings(f"the query on stdin is not UTF-8: {error}") from error


def _table(result: "duckdb.DuckDBPyRelation") -> None:
    from curate.query_output import text_rows
    from curate.reports.tables import print_table

    rows = text_rows(result)
    if result.columns == ["explain_key", "explain_value"]:
        say("".join(str(row[1]) for row in rows).rstrip("\n"))
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


def _parameters(given: tuple[str, ...]) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    for key, equals, _ in pairs:
        if not (key and equals):
            raise BadSettings(f"expected a parameter KEY=VALUE, found '{key}'")
    return {key: value for key, _, value in pairs}


def _named(name: str) -> str:
    from curate import named_queries, sql_files

    tables = (*sql_files.TABLES, *sql_files.view_names(), "stages")
    reports = sql_files.report_names()
    if name in reports:
        return named_queries.text(name)
    if name in tables:
        raise BadSettings(f"'{name}' is a table", run=curate_command("sql", f"from {name} limit 10"))
    raise UnknownName(f"no query named '{name}': {nearest(name, [*reports, *tables])}")


def _kinds() -> dict[str, list[str]]:
    """Return kind -> paths of the SQL files of that kind."""
    from curate import sql_files

    return {
        "reports": [f"reports/{name}" for name in sql_files.report_names()],
        "views": list(sql_files.VIEWS),
        "tables": [f"tables/{name}" for name in (*sql_files.TABLES, "stages")],
        "macros": [*sql_files.MACROS, *sql_files.TABLE_MACROS],
    }


def _listing(as_json: bool) -> str:
    from curate import sql_files

    found: list[dict[str, Any]] = []
    for kind, paths in _kinds().items():
        for path in paths:
            shown, _, purpose = sql_files.purpose(path).partition(": ")
            parameters = sql_files.parameter_names(sql_files.text(path)) if kind == "reports" else []
            found.append({"kind": kind, "name": shown, "purpose": purpose, "parameters": parameters})
    if as_json:
        return json.dumps(found) + "\n"
    formatter = click.HelpFormatter(max_width=100)
    for kind, title in TITLES.items():
        with formatter.section(title):
            formatter.write_dl([(entry["name"], _described(entry)) for entry in found if entry["kind"] == kind])
    return formatter.getvalue().rstrip() + "\n"


def _described(entry: dict[str, Any]) -> str:
    parameters = " ".join(f"${name}" for name in entry["parameters"])
    return f"{entry['purpose']} [{parameters}]" if parameters else str(entry["purpose"])


def _source(name: str) -> str:
    from curate import named_queries, sql_files

    for paths in _kinds().values():
        for path in paths:
            if path.endswith(f"/{name}"):
                return sql_files.text(path)
    return named_queries.text(name)
