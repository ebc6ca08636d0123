"""The log of a call: what was done, by whom and how long it took; on stderr with `-v`, and in a file."""

import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from curate.errors import BadSettings
from curate.reports.safe_text import visible

LOGGER = logging.getLogger("curate")
FIELDS = ("stage", "run", "shard", "code", "where", "try")
"""What a record may carry besides its message."""
LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)
"""The lowest level that is shown without -v, with -v and with -vv."""


class Text(logging.Formatter):
    """One line a record, in which nothing can control a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Return time, level, message and fields."""
        fields = "".join(f" {name}={value}" for name, value in _fields(record).items())
        text = f"{_time(record)} {record.levelname.lower()} {record.getMessage()}{fields}"
        return visible(text).replace("\n", " ")


class Json(logging.Formatter):
    """One JSON object a record."""

    def format(self, record: logging.LogRecord) -> str:
        """Return time, level, process, message and fields."""
        level = record.levelname.lower()
        facts = {"time": _time(record), "level": level, "pid": record.process, "message": record.getMessage()}
        return json.dumps({**facts, **_fields(record)}, ensure_ascii=False)


@contextmanager
def opened(file: Path | None, form: str, verbose: int, command: str) -> Iterator[None]:
    """Write what curate does to `file` (appended) and, if `verbose`, to stderr, while the block runs.

    Raises BadSettings if the file cannot be opened, or is one of a workspace's own.
    """
    formatter = Json() if form == "json" else Text()
    with ExitStack() as stack:
        handlers = [_handler(sys.stderr, LEVELS[min(verbose, 2)], formatter)] if verbose else []
        if file:
            handlers.append(_handler(stack.enter_context(_appending(file)), logging.DEBUG, formatter))
        for handler in handlers:
            LOGGER.addHandler(handler)
            stack.callback(LOGGER.removeHandler, handler)
        LOGGER.setLevel(min((handler.level for handler in handlers), default=logging.CRITICAL))
        stack.callback(LOGGER.setLevel, logging.NOTSET)
        started = time.monotonic()
        LOGGER.info("%s begins", command)
        try:
            yield
        except BaseException as error:
            LOGGER.error("%s ends: %s", command, error or type(error).__name__, extra=_facts(error))  # noqa: TRY400
            raise
        LOGGER.info("%s is done, %.1f s", command, time.monotonic() - started)


def _appending(file: Path) -> TextIO:
    from curate.workspace import check_output

    check_output(file)
    try:
        return file.open("a", encoding="utf-8", errors="backslashreplace", buffering=1)
    except OSError as error:
        raise BadSettings(f"--log-file: cannot write {file}: {error.strerror}") from error


def _handler(stream: TextIO, level: int, formatter: logging.Formatter) -> logging.Handler:
    handler = logging.StreamHandler(stream)
    handler.setLevel(level)
    handler.setFormatter(formatter)
    return handler


def _facts(error: BaseException) -> dict[str, str]:
    """Return what the lines of an error say after its message, and its code."""
    facts = {"code": getattr(error, "code", type(error).__name__)}
    facts |= {"where": getattr(error, "where", None), "try": getattr(error, "run", None)}
    return {name: str(value) for name, value in facts.items() if value}


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return {name: vars(record)[name] for name in FIELDS if name in vars(record)}


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
