"""Ctrl-C and SIGTERM: the first stops the work and leaves nothing half written; a second one ends the process.

The first Ctrl-C lets the shard in work be finished. SIGTERM does not, because whoever sends it soon kills.

While a query runs, Python hears no signal, because DuckDB does not return to it. A thread therefore waits for
signals and interrupts the queries.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from curate import connections
from curate.shard_in_work import stop_after_shard

SHOW_CURSOR = b"\x1b[?25h\n"
CLEAR_LINE = "\r\x1b[2K"
_received: list[int] = []
_stays = threading.Event()


@contextmanager
def heard() -> Iterator[None]:
    """Raise KeyboardInterrupt at Ctrl-C and SIGTERM while the block runs, even in a query (main thread only)."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.signal(signal.SIGTERM, _stop)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a script's background processes ignore it
        signal.signal(signal.SIGINT, _finish)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reading,), daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(-1)


@contextmanager
def survived() -> Iterator[None]:
    """While the block runs, Ctrl-C only stops the query: it ends no process, however often it comes."""
    _stays.set()
    try:
        yield
    finally:
        _stays.clear()


@contextmanager
def left_to_a_prompt() -> Iterator[None]:
    """While the block runs, what reads the keyboard hears the signals; an event loop takes them over, for good."""
    before = signal.set_wakeup_fd(-1)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before, warn_on_full_buffer=False)


def ends() -> bool:
    """Return whether a signal has asked the process to end."""
    return bool(_received)


def exit_code() -> int:
    """Return 128 + the signal that was received."""
    return 128 + (_received[0] if _received else signal.SIGINT)


def _finish(number: int, frame: FrameType | None) -> None:
    if not stop_after_shard():
        _stop(number, frame)


def _stop(number: int, _frame: FrameType | None) -> None:
    if not (_stays.is_set() and number == signal.SIGINT):
        _received.append(number)
    raise KeyboardInterrupt


def _watch(reading: int) -> None:
    """Interrupt the queries at the first signal, unless a shard waits for them; end the process at the second."""
    stopping = False
    while True:
        number = os.read(reading, 1)[0]
        if number not in (signal.SIGINT, signal.SIGTERM):
            continue
        if _stays.is_set() and number == signal.SIGINT:
            connections.interrupt()
            continue
        if stopping:
            if sys.stderr.isatty():
                os.write(2, SHOW_CURSOR)  # a bar hides it
            os._exit(128 + number)
        stopping = True
        what = stop_after_shard() if number == signal.SIGINT else None
        if what:
            _say(f"Finishing the {what} in work; press Ctrl-C again to stop at once")
        else:
            connections.interrupt()


def _say(text: str) -> None:
    """Print a line on stderr, above a bar if there is one; the main thread may be in the middle of another one."""
    with suppress(OSError):
        os.write(2, f"{CLEAR_LINE if sys.stderr.isatty() else ''}{text}\n".encode())
