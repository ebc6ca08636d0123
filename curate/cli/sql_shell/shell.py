"""The shell: it reads, answers and goes on, whatever happens to a statement."""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from curate import query_output, sql_comments, sql_files
from curate.cli import interruption, sql_names
from curate.cli.failures import failure, is_interruption, tell
from curate.cli.options import ROWS, Terminal, progress
from curate.cli.sql_shell import dot_commands
from curate.cli.sql_shell.paging import Pages
from curate.cli.sql_shell.reader import Reader
from curate.cli.sql_shell.session import Session
from curate.cli.sql_shell.tokens import statements
from curate.counted import counted
from curate.errors import BadSettings, UnknownName
from curate.nearest import nearest
from curate.reports.tables import table
from curate.sandbox import only_select, own_errors
from curate.workspace import Workspace

if TYPE_CHECKING:
    import duckdb

    from curate.reports.page import Page

TABLE_ROWS = 1000
"""The rows of a table, whose widths need all of them at once; the other formats show all."""


def run(workspace: Workspace, mode: str) -> None:
    """Answer what is typed until the user leaves; raises CurateError if the workspace cannot be read at all."""
    with own_errors(), Session(workspace) as session, interruption.survived():
        Shell(session, mode).run()


class Shell:
    """A session, and what dot commands have set in it."""

    def __init__(self, session: Session, mode: str) -> None:
        self.session = session
        self.mode = mode
        self.parameters: dict[str, str] = {}

    def run(self) -> None:
        """Read and answer until the user leaves."""
        progress().say(f"{self.session.workspace.root}: a statement ends with ; and .help lists the commands")
        reader = Reader(lambda: self.session.vocabulary)
        while True:
            try:
                with interruption.left_to_a_prompt():
                    text = reader.read()
                if text == ".quit":
                    return
                self.answer(text)
            except KeyboardInterrupt:
                if interruption.ends():
                    raise
            except EOFError:
                return

    def answer(self, text: str) -> None:
        """Answer what was typed. An error is printed, and the shell goes on."""
        try:
            if text.startswith("."):
                self._command(*dot_commands.parsed(text))
            else:
                for statement in statements(text):
                    self._query(statement, self.parameters)
        except BrokenPipeError:
            raise
        except (Exception, KeyboardInterrupt) as error:  # the shell outlives every error
            if interruption.ends():
                raise
            if is_interruption(error):
                click.echo("stopped", err=True)
                return
            if not isinstance(error, BadSettings):
                self.session.close()
            tell(failure(error))

    def _command(self, name: str, words: list[str]) -> None:
        commands: dict[str, Callable[..., None]] = {
            ".help": self._help,
            ".tables": self._tables,
            ".schema": self._schema,
            ".queries": self._queries,
            ".query": self._named,
            ".explain": self._explain,
            ".param": self._param,
            ".mode": self._mode,
        }
        commands[name](*words)

    # --- Queries ---

    def _query(self, query: str, parameters: Mapping[str, str]) -> None:
        with own_errors():
            connection = self.session.connection()
            statement, values = self._resolved(query, parameters)
            only_select(connection, statement)
            self._show(sql_files.query(connection, statement, values))

    def _resolved(self, query: str, parameters: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
        """Return the statement that a query or a name stands for, and the values of its parameters."""
        vocabulary = self.session.vocabulary
        wanted = vocabulary.parameters.get(query) if query.isidentifier() else sql_files.parameter_names(query)
        given = {name: value for name, value in parameters.items() if name in (wanted or ())}
        statement, values, notes = sql_names.resolved(self.session.workspace, query, given)
        for note in notes:
            progress().say(note)
        missing = sorted({*sql_files.parameter_names(statement)} - values.keys())
        if missing:
            raise BadSettings(f"${missing[0]} has no value. Give it one: .param {missing[0]}=VALUE")
        return statement, values

    def _show(self, result: "duckdb.DuckDBPyRelation") -> None:
        if self.mode != "table":
            with Pages() as pages:
                query_output.write_text(result, self.mode, Terminal(pages))
            return
        rows = query_output.text_rows(result)
        plan = query_output.plan(result.columns, rows)
        if plan is not None:
            self._print(plan)
            return
        shown = list(islice(rows, TABLE_ROWS))
        page = _page()
        with page.console.capture() as drawn:
            page.print(table(page, result.columns, shown))
        with Pages() as pages:
            pages.write(drawn.get())
        if next(rows, None):
            click.echo(f"the first {TABLE_ROWS:,} rows. To see all of them: .mode csv", err=True)
        else:
            click.echo(counted(len(shown), "rows"), err=True)

    # --- Dot commands ---

    def _help(self) -> None:
        formatter = click.HelpFormatter(width=_page().width)
        formatter.write_dl(
            [(f"{name} {its.takes}".rstrip(), its.about) for name, its in dot_commands.DOT_COMMANDS.items()]
        )
        formatter.write_paragraph()
        formatter.write_dl(list(dot_commands.KEYS))
        self._print(formatter.getvalue())

    def _tables(self) -> None:
        self._print(sql_names.listing("views", "tables", width=_page().width))

    def _schema(self, relation: str) -> None:
        known = self.session.vocabulary
        if relation not in known.columns:
            raise UnknownName(f"no table or view '{relation}': {nearest(relation, known.columns)}")
        formatter = click.HelpFormatter(width=_page().width)
        path = sql_files.path_of(relation)
        lines = sql_comments.header(path) if path else [relation]
        formatter.write_text(lines[0])
        formatter.write_paragraph()
        types = known.types[relation]
        formatter.write_dl([(f"{name} {types[name]}", about) for name, about in known.columns[relation].items()])
        self._print(formatter.getvalue())

    def _queries(self) -> None:
        self._print(sql_names.listing("reports", width=_page().width))

    def _named(self, name: str, *given: str) -> None:
        if name not in self.session.vocabulary.queries:
            raise UnknownName(f"no query named '{name}': {nearest(name, self.session.vocabulary.queries)}")
        parameters = sql_names.parameters(given)
        wanted = self.session.vocabulary.parameters[name]
        for key in parameters:
            if key not in wanted:
                raise UnknownName(f"'{name}' has no parameter '{key}': {nearest(key, wanted)}")
        self._query(name, {**self.parameters, **parameters})

    def _explain(self, name: str) -> None:
        self._print(sql_names.source(name))

    def _param(self, given: str = "") -> None:
        if given:
            self.parameters.update(sql_names.parameters([given]))
        self._print("".join(f"${name} = {value}\n" for name, value in sorted(self.parameters.items())))

    def _mode(self, mode: str = "") -> None:
        if mode and mode not in ROWS:
            raise UnknownName(f"no format '{mode}': {nearest(mode, ROWS)}")
        self.mode = mode or self.mode
        self._print(f"{self.mode}\n")

    def _print(self, text: str) -> None:
        with Pages() as pages:
            Terminal(pages).write(text.rstrip("\n") + "\n" if text else "")


def _page() -> "Page":
    from curate.reports.page import Page

    return Page()
