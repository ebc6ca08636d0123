"""Stdout, and the pager for what does not fit on the screen."""

import shutil
import sys
from contextlib import ExitStack
from types import TracebackType
from typing import TextIO

import click

ROOM = 2
"""The lines of a screen that stay free for the prompt."""


class Pages:
    """A stream that shows a screenful directly, and starts the pager ($PAGER, else less) when more is written.

    Whoever leaves the pager ends the block, however much would have followed.
    """

    def __init__(self) -> None:
        self._size = shutil.get_terminal_size()
        self._held: list[str] = []
        self._rows = 0
        self._pager: TextIO | None = None
        self._open = ExitStack()

    def __enter__(self) -> "Pages":
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Print what was held back, or wait until the pager is left."""
        if not self._pager and not kind:
            sys.stdout.write("".join(self._held))
            sys.stdout.flush()
        return bool(self._open.__exit__(kind, error, trace))

    def write(self, text: str) -> int:
        """Show a text."""
        if self._pager:
            return self._pager.write(text)
        self._held.append(text)
        self._rows += sum(len(click.unstyle(line)) // self._size.columns + 1 for line in text.split("\n")[:-1])
        if self._rows > self._size.lines - ROOM:
            self._pager = self._open.enter_context(click.get_pager_file())
            self._pager.write("".join(self._held))
        return len(text)
