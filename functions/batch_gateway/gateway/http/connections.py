"""Limit the time and threads that slow clients can take.

gunicorn gives each request a thread and reads from its connection without a time limit. So reading a body has
a time limit, and a caller may have only a few slow bodies at a time. A rejection does not wait for the body:
it is sent first, and the rest of the body is received and discarded outside gunicorn's threads (RFC 9112,
9.6: a client whose connection is closed while it sends may not see the answer).

The head of a request is complete when it gets here: Cloud Run's front end forwards it in one piece.
"""

import io
import os
import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from threading import BoundedSemaphore, Event, Lock, Thread, Timer
from time import monotonic
from typing import IO

from werkzeug.exceptions import ClientDisconnected
from werkzeug.wrappers import Request, Response

BODY_SECONDS = 30.0
"""Time limit for a body, counted from the end of the request's head."""
SLOW_SECONDS = 0.5
"""Time after which a body counts as slow: it should follow the head at once."""
MOST_SLOW = 4
"""Slow bodies that one caller may send at a time; further ones are cut off."""
MOST_SLOW_OF_ALL = 16
"""Slow bodies of all callers at a time: less than half of the threads of an instance as deployed."""
PIECE_BYTES = 1024 * 1024
_SEND_SECONDS = 30
"""Time limit for a client that does not receive its answer."""
_LINGER_SECONDS = 3.0
_LINGER_BYTES = 16 * 1024 * 1024
_SMALL_BYTES = 64 * 1024
_SMALL_SECONDS = 0.25
"""Time to wait for the rest of so small a body, so that the connection can be reused."""
_MOST_PIECES = 16
_READ = "batch_gateway.read"
_lingering = BoundedSemaphore(64)


class BodyTimeout:
    """The time limit of one body.

    Attributes:
        cut: The body took too long, and the rest of it will not be read.
    """

    def __init__(self, connection: socket.socket, caller: str) -> None:
        self.cut = False
        self._connection = connection
        self._caller = caller
        self._ended = Event()
        self._lock = Lock()

    def start(self) -> None:
        """Start the timer."""
        Thread(target=self._watch, daemon=True).start()

    def end(self) -> None:
        """Stop the timer."""
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
                # The reader sees the end of the stream; the answer can still be sent.
                self._connection.shutdown(socket.SHUT_RD)


class Quota:
    """A number of slots, limited for each caller and in all.

    Args:
        each: Slots for one caller.
        all_: Slots for all callers together.
    """

    def __init__(self, each: int, all_: int) -> None:
        self._each = each
        self._all = all_
        self._lock = Lock()
        self._taken: Counter[str] = Counter()

    def acquire(self, caller: str) -> bool:
        """Take a slot; return False if none is free for this caller."""
        with self._lock:
            if self._taken[caller] >= self._each or self._taken.total() >= self._all:
                return False
            self._taken[caller] += 1
            return True

    def release(self, caller: str) -> None:
        """Free a slot that was taken."""
        with self._lock:
            self._taken[caller] -= 1
            self._taken = +self._taken  # drops callers that hold none


_slow = Quota(MOST_SLOW, MOST_SLOW_OF_ALL)


@contextmanager
def body_timeout(request: Request, caller: str) -> Iterator[BodyTimeout | None]:
    """Limit the time for reading a request's body.

    Args:
        request: The request.
        caller: Slow bodies with the same value share a limit.

    Yields:
        The time limit; None if there is no body, or under a server other than gunicorn.
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
    """Mark a request's body as read to its end, with nothing left on the connection."""
    request.environ[_READ] = True


def hang_up_test(request: Request) -> Callable[[], bool]:
    """Return a function that tells whether the client has closed its connection."""
    connection = _connection(request)

    def has_hung_up() -> bool:
        if connection is None:
            return False
        try:
            return not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    return has_hung_up


def finish(request: Request, response: Response) -> None:
    """Ensure that an answer is sent promptly, even if the client is still sending or does not receive it.

    The part of an unread body that has arrived is discarded. If more is to come, the connection is given up
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
    """Discard the part of a body that has arrived, without waiting; return whether that was all of it."""
    cut = Event()

    def cut_off() -> None:
        cut.set()
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RD)

    # A small body may arrive in a packet of its own, right after its head. The timer limits the whole of it:
    # the connection's own timeout starts again with each byte.
    is_small = 0 < (request.content_length or 0) <= _SMALL_BYTES
    connection.settimeout(_SMALL_SECONDS if is_small else 0)
    timer = Timer(_SMALL_SECONDS, cut_off)
    if is_small:
        timer.start()
    try:
        return any(not rest.read(PIECE_BYTES) for _ in range(_MOST_PIECES)) and not cut.is_set()
    except (OSError, ClientDisconnected):
        return False  # the rest has not arrived, or never will
    finally:
        timer.cancel()
        connection.settimeout(None)


def _give_up(connection: socket.socket) -> None:
    """Take a connection away from gunicorn, and close it once the client has stopped sending.

    gunicorn itself would wait for the client on the one thread that accepts new connections. It is left with
    a connection that has ended.
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
