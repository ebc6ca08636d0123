"""How long work tells where it stands: the stages report, the caller decides how it looks."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Advance = Callable[[int], None]


class Progress(Protocol):
    """Something that shows tasks and can be pickled: the first of several processes shows them.

    `curate.cli` has a bar for terminals.
    """

    def task(self, description: str, total: int, unit: str, done: int = 0) -> AbstractContextManager[Advance]:
        """Show a task of `total` units, `done` of them already there; yields the function that advances it."""
        ...

    def say(self, text: str) -> None:
        """Show one line that stays."""
        ...


class Silent:
    """Shows nothing: the default of the Python API."""

    @contextmanager
    def task(self, description: str, total: int, unit: str, done: int = 0) -> Iterator[Advance]:  # noqa: ARG002
        """Yield a function that does nothing."""
        yield lambda _count: None

    def say(self, text: str) -> None:
        """Show nothing."""


class Lines:
    """Plain lines on stderr, for logs: one at the start, one every ten seconds, one at the end."""

    def __init__(self, every: float = 10.0) -> None:
        self.every = every

    @contextmanager
    def task(self, description: str, total: int, unit: str, done: int = 0) -> Iterator[Advance]:
        """Print how far the task is; nothing where there is nothing to do."""
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
            self.say(f"{description}: {total - done:,} {unit}")
        yield advance
        if count:
            self.say(f"{line()}, {duration(time.monotonic() - started)} in all")

    def say(self, text: str) -> None:
        """Print one line on stderr."""
        print(text, file=sys.stderr, flush=True)  # noqa: T201


SILENT = Silent()


def duration(seconds: float) -> str:
    """Return a time that a person reads at a glance: 8.4 s, 3 min 20 s, 2 h 5 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
