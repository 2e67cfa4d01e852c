"""Clients that are slow, or never send what they announced: what they may hold, and for how long.

gunicorn gives each request a thread and reads from its connection without a time limit. So a body is waited
for within one, and few slow ones of a caller at a time; and a refusal does not wait for the body at all: it
goes out first, and what still comes is taken and thrown away beside the threads (RFC 9112, 9.6: a client
whose connection is closed while it sends may not see the answer).

A request's head is complete when it gets here: Cloud Run's front end passes it on in one piece.
"""

import io
import os
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from threading import BoundedSemaphore, Event, Lock, Thread, Timer
from time import monotonic
from typing import IO

from werkzeug.exceptions import ClientDisconnected
from werkzeug.wrappers import Request, Response

BODY_SECONDS = 30.0
"""A body may take from its head on."""
SLOW_SECONDS = 0.5
"""After which a body counts as slow: it should follow its head."""
MOST_SLOW = 4
"""Slow bodies of one caller at a time; further ones are cut off."""
MOST_SLOW_OF_ALL = 16
"""Slow bodies at a time: less than half of the threads that there are as deployed."""
PIECE_BYTES = 1024 * 1024
_SEND_SECONDS = 30
"""For which a client may take nothing of its answer."""
_LINGER_SECONDS = 3.0
_LINGER_BYTES = 16 * 1024 * 1024
_SMALL_BYTES = 64 * 1024
_SMALL_SECONDS = 0.25
"""For which the rest of so small a body is waited for, so that the connection can be used on."""
_MOST_PIECES = 16
_READ = "batch_gateway.read"
_lingering = BoundedSemaphore(64)


class BodyTimeout:
    """The wait for one body.

    Attributes:
        cut: It took too long, and what was to come will not be read any more.
    """

    def __init__(self, connection: socket.socket, caller: str) -> None:
        self.cut = False
        self._connection = connection
        self._caller = caller
        self._ended = Event()
        self._lock = Lock()

    def start(self) -> None:
        """Let the time run."""
        Thread(target=self._watch, daemon=True).start()

    def end(self) -> None:
        """Stop it."""
        with self._lock:
            self._ended.set()

    def _watch(self) -> None:
        if self._ended.wait(SLOW_SECONDS):
            return
        if _slow.acquire(self._caller):
            came = self._ended.wait(BODY_SECONDS - SLOW_SECONDS)
            _slow.release(self._caller)
            if came:
                return
        with self._lock, suppress(OSError):
            if not self._ended.is_set():
                self.cut = True
                # Whoever reads is told that there is no more; the answer can still be sent.
                self._connection.shutdown(socket.SHUT_RD)


class Quota:
    """Something of which there is so much, and so much of it for one caller.

    Args:
        each: For one caller.
        all_: For all of them.
    """

    def __init__(self, each: int, all_: int) -> None:
        self._each = each
        self._all = all_
        self._lock = Lock()
        self._taken: Counter[str] = Counter()

    def acquire(self, caller: str) -> bool:
        """Take one; False if there is none for this caller now."""
        with self._lock:
            if self._taken[caller] >= self._each or self._taken.total() >= self._all:
                return False
            self._taken[caller] += 1
            return True

    def release(self, caller: str) -> None:
        """Give one back that was taken."""
        with self._lock:
            self._taken[caller] -= 1
            self._taken = +self._taken  # without callers that have none


_slow = Quota(MOST_SLOW, MOST_SLOW_OF_ALL)


@contextmanager
def body_timeout(request: Request, caller: str) -> Iterator[BodyTimeout | None]:
    """Watch the time while a body is read.

    Args:
        request: Whose body it is.
        caller: Whose slow bodies are counted together.

    Yields:
        The wait; None under another server than gunicorn, which is left to itself.
    """
    connection = _connection(request)
    wait = BodyTimeout(connection, caller) if connection and request.content_length != 0 else None
    if wait:
        wait.start()
    try:
        yield wait
    finally:
        if wait:
            wait.end()


def mark_read(request: Request) -> None:
    """Note that a body was read to its end, so that nothing of it is left on the connection."""
    request.environ[_READ] = True


def finish(request: Request, response: Response) -> None:
    """See that an answer goes out soon, whatever the client still sends, or does not take.

    What is there of a body that was not read is thrown away. If more is to come, the connection is given up
    once the answer is sent. functions-framework would read it all into memory before it answers.
    """
    rest, request.stream = request.stream, io.BytesIO()
    connection = _connection(request)
    if connection is None:
        return
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", _SEND_SECONDS, 0))
    announced = request.content_length or "chunked" in request.headers.get("Transfer-Encoding", "").lower()
    if announced and not request.environ.get(_READ) and not _drain(rest, connection, request):
        response.call_on_close(partial(_give_up, connection))


def _drain(rest: IO[bytes], connection: socket.socket, request: Request) -> bool:
    """Throw away what is there of a body, without waiting; whether that was all of it."""
    cut = Event()

    def cut_off() -> None:
        cut.set()
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RD)

    # A small body may come in a packet of its own, right behind its head. The timer is for all of it: the
    # connection's own time limit begins anew with each byte.
    is_small = 0 < (request.content_length or 0) <= _SMALL_BYTES
    connection.settimeout(_SMALL_SECONDS if is_small else 0)
    timer = Timer(_SMALL_SECONDS, cut_off)
    if is_small:
        timer.start()
    try:
        return any(not rest.read(PIECE_BYTES) for _ in range(_MOST_PIECES)) and not cut.is_set()
    except (OSError, ClientDisconnected):
        return False  # the rest is not here, or never will be
    finally:
        timer.cancel()
        connection.settimeout(None)


def _give_up(connection: socket.socket) -> None:
    """Take a connection away from gunicorn, and close it as soon as nothing comes any more.

    gunicorn would wait for the client itself, on the one thread that takes new connections. It is left with a
    connection that has ended.
    """
    ended, other = socket.socketpair()
    other.close()
    with suppress(OSError), ended:
        ours = socket.socket(fileno=os.dup(connection.fileno()))
        os.dup2(ended.fileno(), connection.fileno())
        if _lingering.acquire(blocking=False):
            Thread(target=_linger, args=(ours,), daemon=True).start()
        else:
            ours.close()


def _linger(connection: socket.socket) -> None:
    end = monotonic() + _LINGER_SECONDS
    taken = 0
    try:
        with connection, suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
            while taken < _LINGER_BYTES and (left := end - monotonic()) > 0:
                connection.settimeout(left)
                if not (piece := connection.recv(PIECE_BYTES)):
                    break
                taken += len(piece)
    finally:
        _lingering.release()


def _connection(request: Request) -> socket.socket | None:
    found = request.environ.get("gunicorn.socket")
    return found if isinstance(found, socket.socket) else None
