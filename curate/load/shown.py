"""Names of files and texts of rows as messages show them: nothing in them can control the terminal."""

import re
import shlex
from pathlib import Path

COPY = ".stdin-"  # the beginning of the name of the folder that holds the copy of standard input
STDIN = "stdin"
ESCAPED = re.compile(r"\\u(dc[89a-f][0-9a-f])")  # a byte that is not UTF-8, as `file_name` escapes it


def printable(text: str) -> str:
    """Return the text with unprintable characters escaped, so that it cannot control the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in text)


def file_name(path: Path) -> str:
    """Return the name of a file for a table; the copy of standard input is called `stdin`.

    Bytes of the name that are not UTF-8, which no table can hold, are escaped.
    """
    name = STDIN if path.parent.name.startswith(COPY) else str(path)
    return name.encode("utf-8", "backslashreplace").decode()


def path_of(name: str) -> Path:
    """Return the path that `file_name` named. Of two that have this name, it is the one that exists."""
    path = Path(name)
    return path if path.exists() else Path(ESCAPED.sub(lambda byte: chr(int(byte[1], 16)), name))


def shown(path: Path) -> str:
    """Return the name of a file for a message."""
    return printable(file_name(path))


def argument(path: Path) -> str:
    """Return the name of a file for a command that a message suggests, quoted for a shell."""
    return printable(shlex.quote("-" if path.parent.name.startswith(COPY) else str(path)))
