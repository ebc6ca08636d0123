"""Several devices for one stage: a process for each of them runs the model on its share of the shards.

The command itself runs on the first device. It starts a process for each of the others, which does the same work
on other shards. On GPUs of one kind, it changes no byte which of them writes a shard.
"""

import logging
import multiprocessing
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from logging.handlers import QueueHandler
from threading import Lock, Thread
from types import ModuleType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from curate.counted import counted
from curate.environment import variables_set
from curate.errors import BadSettings, CurateError
from curate.models.pretrained import device
from curate.models.threads import VARIABLE as THREADS
from curate.models.threads import use_threads
from curate.progress import Advance
from curate.shard_in_work import is_asked_to_stop, shard_in_work, stop_after_shard, waits_for_shards

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.synchronize import Event

VARIABLE = "CURATE_DEVICES"
GPUS = "CUDA_VISIBLE_DEVICES"
OWN_THREADS = ("OMP_NUM_THREADS", "RAYON_NUM_THREADS")
"""The variables by which torch and the tokenizers learn, when they are loaded, how many threads to use."""
PAUSE = 0.1
"""Seconds between two looks at whether Ctrl-C was pressed."""
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


def check_devices(count: int) -> None:
    """Raise BadSettings if this machine cannot run models in `count` processes, each with a device of its own."""
    if count == 1:
        return
    import torch

    if device() == "mps":
        raise BadSettings("an Apple GPU serves one process. Use one device: --devices 1")
    if device() == "cuda" and count > torch.cuda.device_count():
        there = torch.cuda.device_count()
        seen = counted(there, "GPUs")
        raise BadSettings(f"{count} devices are wanted, and this process sees {seen}: --devices {there}")


def times_as_fast(parts: int) -> int:
    """Return how many times as fast as one device all of them do so many parts. On a CPU they share its cores."""
    return max(1, min(devices(), parts)) if device() == "cuda" else 1


@contextmanager
def using_devices(count: int | None) -> Iterator[None]:
    """Let commands in the block run their models on so many devices, unless the caller has said how many."""
    with variables_set({} if count is None or VARIABLE in os.environ else {VARIABLE: str(count)}):
        yield


class Share(Generic[Part, Result]):
    """The parts that this process works on, while others work on theirs."""

    def __init__(self, parts: Sequence[Part], advance: Advance) -> None:
        self._parts, self._advance, self._one_at_a_time = parts, advance, Lock()
        self.others: list[_Other[Result]] = []

    def __iter__(self) -> Iterator[Part]:
        """Yield the parts in order; raises the error of another process as soon as there is one."""
        for part in self._parts:
            self.raise_failure()
            yield part

    def advance(self, units: int) -> None:
        """Tell that units are done, in this process or in another."""
        with self._one_at_a_time:
            self._advance(units)

    @property
    def results(self) -> list[Result]:
        """What the work returned in the other processes, once all of it is done."""
        return [other.result for other in self.others if other.result is not None]

    def raise_failure(self) -> None:
        """Raise the error of another process, if one has failed."""
        for other in self.others:
            if other.error:
                raise other.error


@contextmanager
def shared_out(
    work: Work[Result], arguments: Sequence[Any], parts: Sequence[Part], advance: Advance
) -> Iterator[Share[Part, Result]]:
    """Yield this process's share of `parts`, while a process on each other device does `work` on its own share.

    Afterwards, wait for the others. Raises the error that one of them raised, or CurateError if one died; the
    others then end at once. At Ctrl-C each process finishes the shard in work.
    """
    count = max(1, min(devices(), len(parts)))
    share: Share[Part, Result] = Share(parts[::count], advance)
    if count == 1:
        yield share
        return
    with _threads_for(count):
        try:
            for number in range(1, count):
                others = (*arguments, parts[number::count])
                share.others.append(
                    _Other(f"process {number + 1} of {count}", number, work, others, share.advance)
                )
            yield share
            with shard_in_work("shards"):
                _wait_for(share.others)
            share.raise_failure()
        except KeyboardInterrupt:
            if is_asked_to_stop():  # SIGTERM asks for nothing, because whoever sends it soon kills
                _wait_for(share.others)
            raise
        finally:
            for other in share.others:
                other.kill()


class _Other(Generic[Result]):
    """Another process, as the command sees it."""

    def __init__(
        self, name: str, number: int, work: Work[Result], arguments: tuple[Any, ...], advance: Advance
    ) -> None:
        """Start the process on the device of a number."""
        context = multiprocessing.get_context("spawn")
        self.name, self._advance = name, advance
        self.result: Result | None = None
        self.error: BaseException | None = None
        self._has_finished = False
        self._stop = context.Event()
        self._messages, sending = context.Pipe(duplex=False)
        level = logging.getLogger("curate").getEffectiveLevel()
        self._process = context.Process(
            target=_enter, args=(level, self._stop, sending, work, arguments), daemon=True
        )
        with variables_set(_environment(number)), _without_main(), _without_ctrl_c():
            self._process.start()
        sending.close()
        self._listener = Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def is_working(self) -> bool:
        """Whether it has not ended, or not everything that it said was heard."""
        return self._listener.is_alive()

    def wait(self) -> None:
        """Wait a little for its end."""
        self._listener.join(PAUSE)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.join()

    def _listen(self) -> None:
        """Hear what it says until it ends. Meanwhile Ctrl-C has it stop after the shard in work."""
        try:
            with waits_for_shards():
                while not (self._has_finished or self.error) and (message := self._next_message()):
                    self._hear(*message)
        except Exception as error:  # noqa: BLE001  (the command raises it)
            self.error = error

    def _next_message(self) -> tuple[str, Any] | None:
        """Wait for the next message and return it; None if it has ended."""
        while True:
            if is_asked_to_stop():
                self._stop.set()
            try:
                if self._messages.poll(PAUSE):
                    message: tuple[str, Any] = self._messages.recv()
                    return message
            except (EOFError, OSError):
                break
        self._process.join()
        if not self._stop.is_set():
            self.error = CurateError(
                f"{self.name} ended early, with exit code {self._process.exitcode}. What it has finished is kept; "
                "to go on, run the same command again."
            )
        return None

    def _hear(self, kind: str, what: Any) -> None:
        if kind == "units":
            self._advance(what)
        elif kind == "log":
            logging.getLogger(what.name).handle(what)
        elif kind == "error":
            self.error = what
        else:
            self.result, self._has_finished = what, True


def _wait_for(others: "Sequence[_Other[Any]]") -> None:
    """Wait until the others have ended, or one of them has failed."""
    while (working := [other for other in others if other.is_working]) and not any(
        other.error for other in others
    ):
        working[0].wait()


@contextmanager
def _threads_for(processes: int) -> Iterator[None]:
    """Let this process, and each one that it starts, use its share of the threads."""
    threads = use_threads()
    with variables_set({THREADS: str(max(1, threads // processes))}):
        use_threads()
        try:
            yield
        finally:
            os.environ[THREADS] = str(threads)
            use_threads()


def _environment(number: int) -> dict[str, str]:
    """Return the variables with which the process on a device starts."""
    variables = {VARIABLE: "1", **dict.fromkeys(OWN_THREADS, os.environ[THREADS])}
    if device() == "cuda":
        visible = os.environ.get(GPUS)
        variables[GPUS] = visible.split(",")[number].strip() if visible else str(number)
    return variables


@contextmanager
def _without_main() -> Iterator[None]:
    """Keep a process that starts from importing the program, which would run a script's own lines once more."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """Keep Ctrl-C from a process that starts: the command says when to stop."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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
    level: int, stop: "Event", connection: "Connection[Any, Any]", work: Work[Any], arguments: tuple[Any, ...]
) -> None:
    """Do the work in this new process."""
    Thread(target=end_with_starter, daemon=True).start()
    Thread(target=_stop_when_told, args=(stop,), daemon=True).start()
    messages, log = _Messages(connection), logging.getLogger("curate")
    log.handlers, log.propagate = [QueueHandler(messages)], False  # type: ignore[arg-type]  # all that it calls
    log.setLevel(level)
    try:
        messages.send("result", work(*arguments, lambda units: messages.send("units", units)))
    except KeyboardInterrupt:
        pass
    except Exception as error:  # noqa: BLE001  (the command raises it)
        if not isinstance(error, CurateError):
            error.add_note(traceback.format_exc())
        try:
            messages.send("error", error)
        except (TypeError, AttributeError, pickle.PicklingError):
            messages.send("error", RuntimeError(traceback.format_exc()))


def _stop_when_told(stop: "Event") -> None:
    """End the work before its next shard once the command says so."""
    stop.wait()
    with waits_for_shards():
        stop_after_shard()


def end_with_starter() -> None:
    """Wait until the process that started this one has ended for any reason, then end too.

    A signal would not be enough: background processes of a script ignore SIGINT.
    """
    starter = multiprocessing.parent_process()
    if starter:
        starter.join()
        end(1)


def end(code: int) -> None:
    """End this process without the interpreter's shutdown.

    After an error the shutdown would wait for the other processes, and gloo's threads have aborted in it.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
