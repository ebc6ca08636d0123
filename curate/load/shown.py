"""Names of files and texts of rows as messages show them: nothing in them can control the terminal."""

import shlex
from pathlib import Path

COPY = ".stdin-"  # the beginning of the name of the folder that holds the copy of standard input


def printable(text: str) -> str:
    """Return the text with unprintable characters escaped, so that it cannot control the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in text)


def file_name(path: Path) -> str:
    """Return the name of a file for a table; the copy of standard input is called `stdin`.

    Bytes of the name that are not UTF-8, which no table can hold, are escaped.
    """
    name = path.name if path.parent.name.startswith(COPY) else str(path)
    return name.encode("utf-8", "backslashreplace").decode()


def shown(path: Path) -> str:
    """Return the name of a file for a message."""
    return printable(file_name(path))


def argument(path: Path) -> str:
    """Return the name of a file for a command that a message suggests, quoted for a shell."""
    return printable(shlex.quote("-" if path.parent.name.startswith(COPY) else str(path)))
