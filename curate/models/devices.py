"""Several devices for one stage: a process for each of them runs the model on its share of the shards.

The command itself runs on the first device. It starts a process for each of the others, which does the same work
on other shards. Which process writes a shard changes no byte of it.
"""

import logging
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from logging.handlers import QueueHandler
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from curate.errors import BadSettings, CurateError
from curate.models.processes import check_devices, end, end_with_starter, free_gpu, packed_error, unpacked_error
from curate.models.threads import VARIABLE as THREADS
from curate.models.threads import use_threads
from curate.progress import Advance
from curate.shard_in_work import is_asked_to_stop, shard_in_work

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.synchronize import Event

LOGGER = logging.getLogger("curate.models.devices")

VARIABLE = "CURATE_DEVICES"
GPUS = "CUDA_VISIBLE_DEVICES"
LOOK = 0.1
"""Seconds between two looks at whether Ctrl-C was pressed while the other processes work."""
Part = TypeVar("Part")
Result = TypeVar("Result")
Work = Callable[..., Result]
"""Takes the arguments of `shared_out`, parts, and a function to call with the number of units that are done. It is
a function of a module, so that another process can import it."""


def devices() -> int:
    """Return how many devices run the models of this command: `CURATE_DEVICES`, or 1.

    Raises BadSettings if it is not a whole number above 0, or if this machine has fewer GPUs.
    """
    given = os.environ.get(VARIABLE, "1")
    if not (given.isascii() and given.isdigit() and int(given)):
        raise BadSettings(f"{VARIABLE} is '{given}', expected a whole number above 0, such as 4")
    check_devices(int(given))
    return int(given)


@contextmanager
def using_devices(count: int | None) -> Iterator[None]:
    """Let commands in the block run their models on so many devices; None: on as many as without the block."""
    before = os.environ.get(VARIABLE)
    if count is not None:
        os.environ[VARIABLE] = str(count)
    try:
        yield
    finally:
        _restore(VARIABLE, before)


class Share(Generic[Part, Result]):
    """The parts that this process works on, while others work on theirs."""

    def __init__(self, parts: Sequence[Part], others: "Sequence[_Other[Result]]" = ()) -> None:
        self._parts, self._others = parts, others

    def __iter__(self) -> Iterator[Part]:
        """Yield the parts in order; raises the error of another process as soon as there is one."""
        for part in self._parts:
            self.refuse_failed()
            yield part

    @property
    def results(self) -> list[Result]:
        """What the work returned in the other processes, once all of it is done."""
        return [other.result for other in self._others if other.result is not None]

    def refuse_failed(self) -> None:
        """Raise the error of another process, if one has failed."""
        for other in self._others:
            if other.error:
                raise other.error


@contextmanager
def shared_out(
    work: Work[Result], arguments: Sequence[Any], parts: Sequence[Part], advance: Advance
) -> Iterator[Share[Part, Result]]:
    """Yield this process's share of `parts`, while a process on each other device does `work` on its own share.

    Afterwards, wait for the others. Raises the CurateError that one of them raised, or CurateError if one died. At
    Ctrl-C each process finishes the shard in work.
    """
    count = min(devices(), len(parts))
    if count <= 1:
        yield Share(parts)
        return
    free_gpu()
    shown = Lock()

    def advance_alone(units: int) -> None:
        with shown:
            advance(units)

    with _threads_for(count):
        others = [
            _Other(
                f"process {number + 1} of {count}", number, work, (*arguments, parts[number::count]), advance_alone
            )
            for number in range(1, count)
        ]
        share: Share[Part, Result] = Share(parts[::count], others)
        try:
            yield share
            with shard_in_work("shards"):
                _wait_for(others)
            share.refuse_failed()
        except KeyboardInterrupt:
            if is_asked_to_stop():  # SIGTERM asks for nothing, because whoever sends it soon kills
                _wait_for(others)
            raise
        finally:
            for other in others:
                other.kill()


class _Other(Generic[Result]):
    """Another process, as the command sees it."""

    def __init__(
        self, name: str, device: int, work: Work[Result], arguments: tuple[Any, ...], advance: Advance
    ) -> None:
        """Start the process."""
        context = multiprocessing.get_context("spawn")
        self.name, self._advance = name, advance
        self.result: Result | None = None
        self.error: CurateError | None = None
        self._stop = context.Event()
        self._messages, sending = context.Pipe(duplex=False)
        level = logging.getLogger("curate").getEffectiveLevel()
        self._process = context.Process(
            target=_enter, args=(device, level, self._stop, sending, work, arguments), daemon=True
        )
        self._process.start()
        sending.close()
        self._listener = Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def is_working(self) -> bool:
        return self._listener.is_alive()

    def wait(self) -> None:
        self._listener.join(LOOK)

    def stop(self) -> None:
        """Have it stop after the shard in work."""
        self._stop.set()

    def kill(self) -> None:
        self._process.kill()
        self._process.join()

    def _listen(self) -> None:
        try:
            while True:
                kind, what = self._messages.recv()
                if kind == "units":
                    self._advance(what)
                elif kind == "log":
                    logging.getLogger(what.name).handle(what)
                elif kind == "error":
                    self.error = unpacked_error(what)
                else:
                    self.result = what
        except (EOFError, OSError):  # it has ended
            self._process.join()
        if self.result is None and self.error is None and not self._stop.is_set():
            self.error = CurateError(
                f"{self.name} ended early, with exit code {self._process.exitcode}. What it has finished is kept; "
                "to go on, run the same command again."
            )


def _wait_for(others: "Sequence[_Other[Any]]") -> None:
    """Wait until the others have ended. If Ctrl-C is pressed or one fails, they stop after the shard in work."""
    while working := [other for other in others if other.is_working]:
        if is_asked_to_stop() or any(other.error for other in others):
            for other in working:
                other.stop()
        working[0].wait()


@contextmanager
def _threads_for(processes: int) -> Iterator[None]:
    """Let this process, and each one that it starts, use its share of the threads."""
    before, threads = os.environ.get(THREADS), use_threads()
    os.environ[THREADS] = str(max(1, threads // processes))
    use_threads()
    try:
        yield
    finally:
        os.environ[THREADS] = str(threads)
        use_threads()
        _restore(THREADS, before)


def _restore(variable: str, before: str | None) -> None:
    if before is None:
        os.environ.pop(variable, None)
    else:
        os.environ[variable] = before


class _Messages:
    """The end of the pipe at which another process sends."""

    def __init__(self, connection: "Connection[Any, Any]") -> None:
        self._connection, self._lock = connection, Lock()

    def send(self, kind: str, what: Any) -> None:
        with self._lock:
            self._connection.send((kind, what))

    def put_nowait(self, record: logging.LogRecord) -> None:
        """Send a record of the log, as QueueHandler wants it."""
        self.send("log", record)


def _enter(
    device: int,
    level: int,
    stop: "Event",
    connection: "Connection[Any, Any]",
    work: Work[Any],
    arguments: tuple[Any, ...],
) -> None:
    """Do the work in this new process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command says when to stop
    Thread(target=end_with_starter, daemon=True).start()
    shown = os.environ.get(GPUS)
    os.environ[GPUS] = shown.split(",")[device] if shown else str(device)  # before torch looks for GPUs
    os.environ[VARIABLE] = "1"
    messages, log = _Messages(connection), logging.getLogger("curate")
    log.handlers, log.propagate = [QueueHandler(messages)], False  # type: ignore[arg-type]  # all that it calls
    log.setLevel(level)
    *others, parts = arguments
    try:
        messages.send("result", work(*others, _until(stop, parts), lambda units: messages.send("units", units)))
    except KeyboardInterrupt:
        pass
    except CurateError as error:
        messages.send("error", packed_error(error))
    except Exception as error:
        LOGGER.debug("failed", exc_info=True)
        messages.send("error", packed_error(CurateError(f"{type(error).__name__}: {error}")))
    end(0)


def _until(stop: "Event", parts: Sequence[Part]) -> Iterator[Part]:
    """Yield the parts; raises KeyboardInterrupt between two of them once it is time to stop."""
    for part in parts:
        if stop.is_set():
            raise KeyboardInterrupt
        yield part
