"""What an exception means to the user: the code of its kind, the message and the exit code."""

import errno
import os
import sys
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import dataclass

import click

from curate.errors import CurateError, NoSpace
from curate.reports.safe_text import visible
from curate.shards import UNWRITABLE

BUG, INTERRUPTED, TERMINATED, PIPE_CLOSED = 70, 130, 143, 141
NO_MEMORY = "out of memory. Close other programs, or give a smaller --depth."
DISK_FULL = "the disk is full. Free some space, then run the same command again."
UNUSABLE = {errno.ENAMETOOLONG, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EINVAL, errno.ENXIO}
"""What the system says about a path that cannot be meant, as opposed to a disk that is full or read-only."""


@dataclass(frozen=True)
class Failure:
    """What is told about an error."""

    code: str
    text: str
    exit_code: int
    where: str | None = None
    """The place in a file, such as `qrels/train.tsv:3`."""
    run: str | None = None
    """The command to run next."""

    def lines(self) -> list[str]:
        """Return the lines: what is wrong, where, why, and the command to run next."""
        what, _, why = self.text.partition("\n")
        where = f"  where: {self.where}" if self.where else ""
        run = f"  try: {self.run}" if self.run else ""
        return [line for line in (what, where, why, run) if line]


def failure(error: BaseException) -> Failure:
    """Return what is told about an error. What nobody foresaw is a bug, whose traceback is saved to a file."""
    if isinstance(error, click.UsageError) and error.ctx:
        run = f"{error.ctx.command_path} --help"
        return Failure("usage", error.format_message(), error.exit_code, run=run)
    if isinstance(error, click.ClickException):
        return Failure("usage", error.format_message(), error.exit_code)
    if any(_is_disk_full(cause) for cause in _causes(error)) and not isinstance(error, NoSpace):
        return Failure(NoSpace.code, DISK_FULL, NoSpace.exit_code)
    if isinstance(error, CurateError):
        return Failure(error.code, error.what, error.exit_code, error.where, error.run)
    if isinstance(error, MemoryError) or str(error).startswith("Out of Memory Error"):
        return Failure(NoSpace.code, NO_MEMORY, NoSpace.exit_code)
    if isinstance(error, OSError) and error.errno:
        return _of_system(error)
    return Failure("bug", _bug(error), BUG)


def tell(told: Failure) -> int:
    """Print an error: its code, then what is wrong, where, why and the command to run next; return its code."""
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    click.secho(f"error[{told.code}]: ", fg="red", bold=True, nl=False, err=True, color=False if plain else None)
    for line in told.lines():
        click.echo(visible(line), err=True)
    return told.exit_code


def is_interruption(error: BaseException) -> bool:
    """Return whether an error is what Ctrl-C or SIGTERM left behind.

    The text has to tell: DuckDB raises a plain RuntimeError at Ctrl-C, and an OSError without a number for
    anything that happens while Arrow reads its result.
    """
    text = str(error)
    return (
        isinstance(error, KeyboardInterrupt | click.exceptions.Abort)
        or "Query interrupted" in text
        or text.startswith("INTERRUPT Error")
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    while current:
        yield current
        current = current.__cause__ or current.__context__


def _is_disk_full(error: BaseException) -> bool:
    """Return whether the disk is full; DuckDB and Arrow say so only in their text."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error)


def _of_system(error: OSError) -> Failure:
    """Return the message for a file or stream that the system refuses."""
    if isinstance(error, FileNotFoundError) and error.filename is None:
        return Failure("bad-settings", "the current folder no longer exists. Enter another one", 2)
    text, where = error.strerror or str(error), None if error.filename is None else str(error.filename)
    if error.errno in UNUSABLE:
        return Failure("bad-settings", text, 2, where)
    if error.errno in UNWRITABLE:
        return Failure(NoSpace.code, text, NoSpace.exit_code, where)
    return Failure("failed", text, 1, where)


def _bug(error: BaseException) -> str:
    shown = f"a bug in curate: {type(error).__name__}: {error}"
    try:
        descriptor, path = tempfile.mkstemp(prefix="curate-bug-", suffix=".txt")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"python {sys.version}\n")
            traceback.print_exception(error, file=file)
    except OSError:
        return f"{shown}\nTo see where it happened, run the command again with --debug."
    return f"{shown}\nThe traceback is in {path}. Please report it, with the output of: curate --version --json"
