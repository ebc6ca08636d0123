"""Progress of long work: the stages report it, and the caller decides how to show it."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from curate.counted import counted

Advance = Callable[[int], None]


class Progress(Protocol):
    """An object that shows the progress of tasks.

    It can be pickled, because the first of several processes may have to show the tasks. `curate.cli` has a
    progress bar for terminals.
    """

    def task(self, description: str, total: int, unit: str, done: int = 0) -> AbstractContextManager[Advance]:
        """Show a task of `total` units, of which `done` are already done; yields the function that advances it."""
        ...

    def say(self, text: str) -> None:
        """Show one line permanently."""
        ...


class Silent:
    """Progress that shows nothing, which is the default of the Python API."""

    @contextmanager
    def task(self, description: str, total: int, unit: str, done: int = 0) -> Iterator[Advance]:  # noqa: ARG002
        """Yield a function that does nothing."""
        yield lambda _count: None

    def say(self, text: str) -> None:
        """Show nothing."""


class Lines:
    """Progress as plain lines on stderr, for logs: one at the start, one every ten seconds, one at the end."""

    def __init__(self, every: float = 10.0) -> None:
        self.every = every

    @contextmanager
    def task(self, description: str, total: int, unit: str, done: int = 0) -> Iterator[Advance]:
        """Print how far the task is, unless there is nothing to do."""
        started = shown = time.monotonic()
        count = 0

        def line() -> str:
            seconds = time.monotonic() - started
            rate = count / seconds if seconds > 0 else 0.0
            left = f", {duration((total - done - count) / rate)} left" if rate and done + count < total else ""
            return f"{description}: {done + count:,}/{total:,} {unit}, {rate:,.0f} {unit}/s{left}"

        def advance(step: int) -> None:
            nonlocal count, shown
            count += step
            if time.monotonic() - shown >= self.every:
                shown = time.monotonic()
                self.say(line())

        if done < total:
            self.say(f"{description}: {counted(total - done, unit)}")
        yield advance
        if count:
            self.say(f"{line()}, {duration(time.monotonic() - started)} in total")

    def say(self, text: str) -> None:
        """Print one line on stderr."""
        print(text, file=sys.stderr, flush=True)  # noqa: T201


SILENT = Silent()


def duration(seconds: float) -> str:
    """Return a time in a form that is easy to read: 8.4 s, 3 min 20 s, 2 h 5 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
