"""Requests to one server: JSON over HTTP, with retries, and with bounds on the time and the size of an answer.

The standard library's client is enough. It follows no redirect, asks no proxy and reads no file with passwords, so
that texts and key reach the named host alone.
"""

import logging
import os
import random
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any

import orjson

from curate import __version__
from curate.errors import BadAnswer, BadSettings
from curate.models.served.address import Address

KEY = "CURATE_SCORER_KEY"
LOGGER = logging.getLogger("curate")
LARGEST_ANSWER = 16 * 2**20
BUSY = {408, 425, 429, 502, 503, 504, 529}
"""What a server answers that would do the same work later."""
TRIES, FIRST_WAIT, LONGEST_WAIT = 8, 0.5, 30.0
LONGEST_CONNECT = 10.0
LONGEST_OBEYED = 300.0  # seconds of Retry-After; beyond, the user decides when to go on
SHOWN = 200


@dataclass(frozen=True)
class Answer:
    """What a server answered to one request."""

    route: str
    """Method and address of the request."""
    status: int
    body: bytes
    location: str | None
    retry_after: float | None
    key: str | None

    @property
    def json(self) -> Any:
        """The JSON of an answer of status 200. Raises BadAnswer for anything else."""
        if self.location:
            target = shown(self.location, self.key)
            raise BadAnswer(f"{self.route}: status {self.status}, a redirect to {target}, which is not followed")
        if self.status in (401, 403):
            raise BadAnswer(self.refusal())
        if self.status != 200:
            raise BadAnswer(self.problem())
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise BadAnswer(self.problem(f"not JSON ({str(error)[:80]})")) from error

    def refusal(self) -> str:
        """Return what is wrong with the key, after a status of 401 or 403."""
        return f"{self.problem()}. It wants {'another' if self.key else 'a'} key: set the variable {KEY}"

    def problem(self, what: str = "") -> str:
        """Return the route, the status and the start of what came, after `what` is wrong with it."""
        came = shown(self.body[: 8 * SHOWN].decode("utf-8", "replace"), self.key)
        told = f"{self.route}: status {self.status}"
        return f"{told}{f', {what}' if what else ''}: {came!r}" if came else f"{told}, {what or 'no text'}"


class Unreachable(BadAnswer):
    """No answer came, or only that of a busy server."""


class Stopped(Exception):
    """The client was told to stop."""


class Client:
    """A client of one server, for several threads. Connections are kept and used again."""

    def __init__(self, address: Address, *, timeout: float = 60.0) -> None:
        """Store the arguments, and read the key from the environment. Nothing is sent yet."""
        self.address, self.timeout = address, timeout
        self._key = _key()
        self._idle: list[HTTPConnection] = []
        self._busy: set[HTTPConnection] = set()
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._has_answered = False

    def get(self, path: str) -> Answer:
        """Return the answer to a GET, whatever its status."""
        return self._patiently("GET", path, None, BUSY)

    def post(self, path: str, body: Mapping[str, Any], *, also_busy: frozenset[int] = frozenset()) -> Answer:
        """Return the answer to a POST of JSON, whatever its status. `also_busy`: further statuses to try again."""
        return self._patiently("POST", path, orjson.dumps(body), BUSY | also_busy)

    def stop(self) -> None:
        """Let every request in work fail at once with Stopped."""
        self._stop.set()
        with self._lock:
            for connection in self._busy:
                _shut(connection)

    def start(self) -> None:
        """Allow requests again after `stop`."""
        self._stop.clear()

    def _patiently(self, method: str, path: str, body: bytes | None, busy: set[int]) -> Answer:
        """Return the first answer that is not one of a busy server; raises Unreachable after TRIES."""
        problem = ""
        for number in range(TRIES):
            asked = None
            try:
                answer = self._once(method, path, body)
            except (OSError, HTTPException) as error:
                problem = self._failed(method, path, error)
            else:
                if answer.status not in busy:
                    return answer
                problem, asked = answer.problem(), answer.retry_after
            if number + 1 < TRIES:
                self._wait(number, asked, problem)
        raise Unreachable(f"{problem} ({TRIES} tries)")

    def _wait(self, number: int, asked: float | None, problem: str) -> None:
        if asked is not None and asked > LONGEST_OBEYED:
            raise Unreachable(f"{problem}. The server asks to wait {asked:,.0f} s")
        seconds = min(FIRST_WAIT * 2**number, LONGEST_WAIT) * random.uniform(0.5, 1.0)
        seconds = seconds if asked is None else max(asked, seconds)
        LOGGER.info("%s; next try in %.1f s", problem, seconds)
        if self._stop.wait(seconds):
            raise Stopped

    def _failed(self, method: str, path: str, error: Exception) -> str:
        """Return what is wrong; raises Unreachable at once if waiting does not help."""
        if self._stop.is_set():
            raise Stopped from None
        why = f"no answer within {self.timeout:g} s" if isinstance(error, TimeoutError) else _why(error)
        problem = f"{method} {self.address.origin}{path}: {shown(why, self._key)}"
        first = not self._has_answered
        if isinstance(error, ssl.SSLCertVerificationError) or (first and not _may_pass(error)):
            raise Unreachable(f"{problem}. Is the server running, and is this its address?") from None
        return problem

    def _once(self, method: str, path: str, body: bytes | None) -> Answer:
        connection, is_new = self._take()
        try:
            answer = self._exchange(connection, method, path, body)
        except (OSError, HTTPException) as error:
            self._drop(connection)
            if is_new or isinstance(error, TimeoutError) or self._stop.is_set():
                raise
            return self._once(method, path, body)  # a server may close a connection that was idle
        except BaseException:
            self._drop(connection)
            raise
        self._has_answered = True
        return answer

    def _exchange(self, connection: HTTPConnection, method: str, path: str, body: bytes | None) -> Answer:
        deadline = time.monotonic() + self.timeout
        if connection.sock is None:
            connection.connect()
        if self._stop.is_set():  # it was told so while this thread connected
            raise Stopped
        connection.sock.settimeout(self.timeout)
        connection.request(method, path or "/", body, self._headers(body))
        response = connection.getresponse()
        content = _content(connection, response, deadline)
        route = f"{method} {self.address.origin}{path}"
        if content is None:
            raise BadAnswer(f"{route}: status {response.status}, an answer of more than {LARGEST_ANSWER:,} bytes")
        with self._lock:
            self._busy.discard(connection)
            if connection.sock is not None and not response.will_close:
                self._idle.append(connection)
            else:
                connection.close()
        location = response.headers.get("Location") if 300 <= response.status < 400 else None
        after = _seconds(response.headers.get("Retry-After"))
        return Answer(route, response.status, content, location, after, self._key)

    def _headers(self, body: bytes | None) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": f"curate/{__version__}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        return headers

    def _take(self) -> tuple[HTTPConnection, bool]:
        """Return a connection, and whether it is a new one."""
        with self._lock:
            if self._stop.is_set():
                raise Stopped
            is_new = not self._idle
            connection = self._connect() if is_new else self._idle.pop()
            self._busy.add(connection)
        return connection, is_new

    def _connect(self) -> HTTPConnection:
        host, port, wait = self.address.host, self.address.port, min(self.timeout, LONGEST_CONNECT)
        if self.address.secure:
            return HTTPSConnection(host, port, timeout=wait, context=ssl.create_default_context())
        return HTTPConnection(host, port, timeout=wait)

    def _drop(self, connection: HTTPConnection) -> None:
        with self._lock:
            self._busy.discard(connection)
        connection.close()


def shown(text: str, key: str | None) -> str:
    """Return a short piece of `text` for a message, without the key."""
    told = " ".join((text.replace(key, "[key]") if key else text).split())
    return told if len(told) <= SHOWN else f"{told[:SHOWN]}..."


def _content(connection: HTTPConnection, response: HTTPResponse, deadline: float) -> bytes | None:
    """Return the body; None if it is too large. Raises TimeoutError after the deadline, OSError if it is cut."""
    parts: list[bytes] = []
    size = 0
    while part := response.read1(65536):
        parts.append(part)
        size += len(part)
        left = deadline - time.monotonic()
        if size > LARGEST_ANSWER:
            return None
        if left <= 0:
            raise TimeoutError
        if connection.sock is not None:
            connection.sock.settimeout(left)
    if response.length:
        raise ConnectionError(f"the answer ends {response.length:,} bytes too early")
    response.close()  # it was read whole: the connection is free for the next request
    return b"".join(parts)


def _key() -> str | None:
    key = os.environ.get(KEY, "").strip()
    if not key:
        return None
    if not all(" " < letter < "\x7f" for letter in key):
        raise BadSettings(f"{KEY} holds a space or another character that a key cannot have")
    return key


def _why(error: Exception) -> str:
    told = getattr(error, "strerror", None) or str(error)
    return told or type(error).__name__


def _may_pass(error: Exception) -> bool:
    """Return whether an error at the first contact may pass by itself: not if no server of HTTP listens there."""
    return isinstance(error, ConnectionResetError | BrokenPipeError | TimeoutError)


def _shut(connection: HTTPConnection) -> None:
    """End what a thread waits for on a connection, without closing it under the thread."""
    if connection.sock is not None:
        try:
            connection.sock.shutdown(2)
        except OSError:  # it is closed already
            return


def _seconds(value: str | None) -> float | None:
    """Return what Retry-After asks for in seconds: a number, or a date."""
    if not value:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return None
