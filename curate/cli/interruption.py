"""Ctrl-C and SIGTERM: the first stops the work and leaves nothing half written; a second one ends the process.

While a query runs, Python hears no signal, because DuckDB does not return to it. A thread therefore waits for
signals and interrupts the queries.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from curate import connections

SHOW_CURSOR = b"\x1b[?25h\n"
_received: list[int] = []


@contextmanager
def heard() -> Iterator[None]:
    """Raise KeyboardInterrupt at Ctrl-C and SIGTERM while the block runs, even in a query (main thread only)."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.signal(signal.SIGTERM, _stop)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reading,), daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(-1)


def exit_code() -> int:
    """Return 128 + the signal that was received."""
    return 128 + (_received[0] if _received else signal.SIGINT)


def _stop(number: int, _frame: FrameType | None) -> None:
    _received.append(number)
    raise KeyboardInterrupt


def _watch(reading: int) -> None:
    """Interrupt the queries at the first signal, and end the process at the second."""
    stopping = False
    while True:
        number = os.read(reading, 1)[0]
        if number not in (signal.SIGINT, signal.SIGTERM):
            continue
        if stopping:
            if sys.stderr.isatty():
                os.write(2, SHOW_CURSOR)  # a bar hides it
            os._exit(128 + number)
        stopping = True
        connections.interrupt()
