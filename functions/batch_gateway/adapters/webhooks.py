"""Send webhooks over HTTPS, to public addresses only and within a time limit.

A host name is resolved here, each of its addresses is checked, and the connection goes to one of the checked
addresses, so that resolving the name differently a moment later (DNS rebinding) has no effect. TLS verifies
the host name as usual. Proxies, redirects, cookies and .netrc are not used.

This uses sockets and the standard library's HTTP parser, because the time limits of urllib3 and requests
apply to each read: a receiver that sends a byte now and then would keep them waiting without end.
"""

import io
import socket
import ssl
import time
from collections.abc import Mapping
from http.client import HTTPException, HTTPResponse
from threading import Thread
from typing import Any

from batch_gateway.core.notify.webhook_security import (
    ForbiddenUrlError,
    Target,
    is_loopback,
    is_public,
    read_url,
)
from batch_gateway.ports import Reply, UnreachableError

_SECONDS = 15.0
"""Time limit of name resolution, connection, TLS, request and answer together. Standard Webhooks 1.0.0
recommends 15 to 30 s."""
_CONNECT_SECONDS = 5.0
"""Time limit for one address, so that there is time to try the next one."""
_MOST_ADDRESSES = 4


class HttpsReceivers:
    """The Receivers port.

    Args:
        allow_private: Whether private addresses are allowed, and plain HTTP to this machine; for tests and
            the local stack.
        seconds: Time limit of one attempt.
    """

    def __init__(self, *, allow_private: bool = False, seconds: float = _SECONDS) -> None:
        self._allow_private = allow_private
        self._seconds = seconds
        self._tls = ssl.create_default_context()
        self._tls.set_alpn_protocols(["http/1.1"])

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        target = read_url(url, allow_private=self._allow_private)
        deadline = _Deadline(self._seconds)
        try:
            addresses = _resolve(target, deadline)
            self._check(target, addresses)
            with self._connect(target, addresses[:_MOST_ADDRESSES], deadline) as connection:
                deadline.apply(connection)
                connection.sendall(_request(target, headers, body))
                # Closed before what it reads from; in the other order, Python 3.13 complains in the log.
                with HTTPResponse(_TimedSocket(connection, deadline), method="POST") as answer:  # type: ignore[arg-type]
                    # Reads the headers only; the body is not needed.
                    answer.begin()
                    return Reply(answer.status, answer.headers.get("Retry-After"))
        except TimeoutError as error:
            raise UnreachableError(f"{target.host} did not answer within {self._seconds:g} s") from error
        except ssl.SSLError as error:
            reason = getattr(error, "verify_message", "") or error.reason or type(error).__name__
            raise UnreachableError(f"no TLS with {target.host}: {reason}") from error
        except (OSError, HTTPException) as error:
            raise UnreachableError(f"{target.host} gave no answer: {type(error).__name__}") from error

    def _check(self, target: Target, addresses: list[str]) -> None:
        for address in addresses:
            if not (is_public(address) or self._allow_private):
                # The message leaves out the address, so that nobody can explore an internal network this way.
                raise ForbiddenUrlError(f"{target.host} has an address that is not public")
            if not (target.secure or is_loopback(address)):
                raise ForbiddenUrlError(f"{target.host} is not this machine: use https")

    def _connect(self, target: Target, addresses: list[str], deadline: "_Deadline") -> socket.socket:
        last: OSError = OSError("no address")
        for address in addresses:
            try:
                connection = socket.create_connection(
                    (address, target.port), timeout=min(deadline.left(), _CONNECT_SECONDS)
                )
            except OSError as error:
                last = error
                continue
            if not target.secure:
                return connection
            try:
                deadline.apply(connection)
                return self._tls.wrap_socket(connection, server_hostname=target.host)
            except BaseException:
                connection.close()
                raise
        raise last


class _Deadline:
    """The end of the time for one attempt."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left.

        Raises:
            TimeoutError: No time is left.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def apply(self, connection: socket.socket) -> None:
        """Set the time limit of a connection's next operation to the time that is left."""
        connection.settimeout(self.left())


class _TimedSocket(io.RawIOBase):
    """The part of a socket that HTTPResponse needs, with all reads together within the deadline."""

    def __init__(self, connection: socket.socket, deadline: _Deadline) -> None:
        self._connection = connection
        self._deadline = deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._deadline.apply(self._connection)
        return self._connection.recv_into(buffer)


def _resolve(target: Target, deadline: _Deadline) -> list[str]:
    """Return the addresses of a name, in the system's order of preference.

    Raises:
        OSError: The name has no address.
        TimeoutError: The system did not answer in time; it has no time limit of its own.
    """
    found: list[str] = []
    problems: list[OSError] = []

    def ask() -> None:
        try:
            infos = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
            found.extend(str(info[4][0]) for info in infos)
        except OSError as error:
            problems.append(error)

    asking = Thread(target=ask, daemon=True)
    asking.start()
    asking.join(deadline.left())
    if asking.is_alive():
        raise TimeoutError
    if problems:
        raise problems[0]
    return found


def _request(target: Target, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = {
        "Host": target.authority,
        "User-Agent": "vertex-batch-gateway",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
        **headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {target.path} HTTP/1.1\r\n{head}\r\n".encode("ascii") + body
