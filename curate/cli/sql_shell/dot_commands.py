"""The dot commands of the shell: their names, what they do and what can follow them."""

import shlex
from dataclasses import dataclass

from curate.cli.options import ROWS
from curate.cli.sql_shell.completion import Offer
from curate.cli.sql_shell.vocabulary import Vocabulary
from curate.errors import BadSettings, UnknownName
from curate.nearest import nearest


@dataclass(frozen=True)
class DotCommand:
    """What is said about a dot command."""

    takes: str
    about: str
    least: int = 0
    most: int = 0
    """How many words may follow it."""


DOT_COMMANDS = {
    ".help": DotCommand("", "Show this list."),
    ".tables": DotCommand("", "List views and tables."),
    ".schema": DotCommand("NAME", "Show the columns of a view or table, with their comments.", 1, 1),
    ".queries": DotCommand("", "List the named queries, with examples and parameters."),
    ".query": DotCommand("NAME [KEY=VALUE ...]", "Run a named query; NAME; does it too.", 1, 99),
    ".explain": DotCommand("NAME", "Show the SQL of a named query, view or macro, to copy and change.", 1, 1),
    ".param": DotCommand("[KEY=VALUE]", "Set the value of $KEY in statements, or show what is set.", 0, 1),
    ".mode": DotCommand(f"[{'|'.join(ROWS)}]", "Set the output format, or show which it is.", 0, 1),
    ".quit": DotCommand("", "Leave, as Ctrl-D does."),
}
KEYS = (
    ("Enter", "runs what ends with ; and otherwise begins a new line. Alt-Enter runs it as it is."),
    ("Tab", "completes names, keywords, and ids inside quotes."),
    ("Up, Ctrl-R", "go back in the history, or search it."),
    ("Ctrl-C", "stops a query, or empties the line."),
)


def parsed(line: str) -> tuple[str, list[str]]:
    """Return a dot command and the words that follow it; raises BadSettings if there is no such command."""
    try:
        name, *words = shlex.split(line.rstrip().removesuffix(";"))
    except ValueError as error:
        raise BadSettings(f"{line.strip()}: {error}") from error
    if name not in DOT_COMMANDS:
        raise UnknownName(f"no command '{name}': {nearest(name, DOT_COMMANDS)}")
    command = DOT_COMMANDS[name]
    if not command.least <= len(words) <= command.most:
        raise BadSettings(f"expected {name} {command.takes}".rstrip() + f", found '{line.strip()}'")
    return name, words


def completed(before: str, known: Vocabulary) -> list[Offer]:
    """Return the offers for a dot command; `before` is the text before the cursor."""
    *words, prefix = before.lstrip().split(" ")
    if not words:
        found = {name: command.about for name, command in DOT_COMMANDS.items()}
    elif len(words) == 1:
        found = _first(words[0], known)
    elif words[0] == ".query":
        given = {word.partition("=")[0] for word in words[2:]}
        found = {f"{name}=": "" for name in known.parameters.get(words[1], []) if name not in given}
    else:
        found = {}
    return [Offer(name, about, len(prefix)) for name, about in found.items() if name.startswith(prefix)]


def _first(command: str, known: Vocabulary) -> dict[str, str]:
    if command == ".schema":
        return dict(known.relations)
    if command == ".query":
        return dict(known.queries)
    if command == ".explain":
        return {**known.queries, **known.relations, **known.macros}
    if command == ".mode":
        return dict.fromkeys(ROWS, "")
    if command == ".param":
        return {f"{name}=": "" for name in sorted({name for names in known.parameters.values() for name in names})}
    return {}
