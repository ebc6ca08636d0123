"""Standard input, `-` in place of a file's name. Files are read more than once, so it is copied first."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from curate.errors import BadInput, BadSettings
from curate.load.shown import COPY

NAME = "stdin"
GIVEN = "-"


class Stdin:
    """The copy of standard input, which is made when it is first needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.copied = False

    def file(self, given: str | Path) -> str | Path:
        """Return the copy of standard input for `-` or `SPLIT=-`, and any other name as it is.

        Raises BadSettings if it is asked for twice, and BadInput if there is no standard input.
        """
        split, equals, name = ("", "", str(given)) if isinstance(given, Path) else str(given).rpartition("=")
        if name != GIVEN or "/" in split:
            return given
        return f"{split}{equals}{self._copy()}" if equals else self._copy()

    def _copy(self) -> Path:
        if self.copied:
            raise BadSettings("standard input (-) is given twice, and can be read once. Give files, or load twice")
        self.copied = True
        if sys.stdin is None or sys.stdin.closed:
            raise BadInput("stdin: closed, so there is nothing to read")
        folder = Path(tempfile.mkdtemp(prefix=COPY, dir=self.folder))
        with (folder / NAME).open("wb") as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
        return folder / NAME


@contextmanager
def standard_input(folder: Path) -> Iterator[Stdin]:
    """Yield standard input, whose copy stays in `folder` until the end; what a killed command left is deleted."""
    _clear(folder)
    try:
        yield Stdin(folder)
    finally:
        _clear(folder)


def _clear(folder: Path) -> None:
    for left in folder.glob(f"{COPY}*"):
        shutil.rmtree(left, ignore_errors=True)
