"""Standard input, `-` in place of a file's name. Files are read more than once, so it is copied first."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from curate.errors import BadInput, BadSettings, NoSpace
from curate.load.shown import COPY, STDIN
from curate.shards import UNWRITABLE

GIVEN = "-"


class Stdin:
    """The copy of standard input, which is made when it is first needed."""

    def __init__(self, open_until_the_end: ExitStack) -> None:
        self.stack = open_until_the_end
        self.copied = False

    def file(self, given: str | Path) -> str | Path:
        """Return the copy of standard input for `-` or `SPLIT=-`, and any other name as it is.

        Raises BadSettings if it is asked for twice, BadInput if it cannot be read, NoSpace if it cannot be copied.
        """
        split, equals, name = ("", "", str(given)) if isinstance(given, Path) else str(given).rpartition("=")
        if name != GIVEN or "/" in split:
            return given
        if self.copied:
            raise BadSettings("standard input (-) is given twice, and can be read once. Give files, or load twice")
        self.copied = True
        try:
            copy = self._copy()
        except OSError as error:
            if error.errno not in UNWRITABLE:
                raise BadInput(f"cannot be read: {error.strerror}", file=STDIN) from error
            where = tempfile.gettempdir()
            raise NoSpace(
                f"cannot copy stdin to {where}: {error.strerror}. Set TMPDIR to another folder"
            ) from error
        return f"{split}{equals}{copy}" if equals else copy

    def _copy(self) -> Path:
        if sys.stdin is None or sys.stdin.closed:
            raise BadInput("closed, so there is nothing to read", file=STDIN)
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix=COPY)))
        with (folder / STDIN).open("wb") as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
        return folder / STDIN


@contextmanager
def standard_input() -> Iterator[Stdin]:
    """Yield standard input, whose copy stays in the system's folder for temporary files until the end."""
    with ExitStack() as stack:
        yield Stdin(stack)
