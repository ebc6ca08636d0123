"""The work that Ctrl-C lets be finished: a shard, or a step of a training.

A loop over shards asks nothing itself. A request to stop ends it between two shards, because every shard is
written inside `shard_in_work`.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class State:
    """What this process is writing, and whether it was asked to stop."""

    in_work: dict[int, str] = {}  # noqa: RUF012  (there is one state a process)
    """Thread -> what it is writing."""
    asked = False


@contextmanager
def shard_in_work(what: str = "shard") -> Iterator[None]:
    """Let a request to stop wait for the end of the block; raises KeyboardInterrupt then, or before the block.

    A block within another one of the same thread is a part of it.
    """
    thread = threading.get_ident()
    if thread in State.in_work:
        yield
        return
    _stop_if_asked()
    State.in_work[thread] = what
    try:
        yield
    finally:
        del State.in_work[thread]
    _stop_if_asked()


@contextmanager
def waits_for_shards() -> Iterator[None]:
    """Let a request to stop wait while this thread listens to processes that write shards; raises nothing."""
    thread = threading.get_ident()
    State.in_work[thread] = "shards"
    try:
        yield
    finally:
        del State.in_work[thread]


def stop_after_shard() -> str | None:
    """Ask to stop after the work that is begun; return what it is, or None, and ask nothing, without any."""
    what = next(iter(State.in_work.copy().values()), None)
    State.asked = State.asked or what is not None
    return what


def is_asked_to_stop() -> bool:
    """Return whether the work in hand is the last."""
    return State.asked


def _stop_if_asked() -> None:
    if State.asked:
        raise KeyboardInterrupt
