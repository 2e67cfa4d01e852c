"""Webhooks over HTTPS, to public addresses only and within a time limit.

A name is resolved here, every address that it has is checked, and the connection goes to one of those very
addresses, so that a name which resolves to something else a moment later (DNS rebinding) gains nothing.
TLS goes by the name all the same. No proxy, redirect, cookie or .netrc is followed.

On plain sockets and the standard library's parser of answers, since the time limits of urllib3 and requests
hold for each read: a receiver that sends a byte now and then would keep them waiting for ever.
"""

import io
import socket
import ssl
import time
from collections.abc import Mapping
from http.client import HTTPException, HTTPResponse
from threading import Thread
from typing import Any

from batch_gateway.core.notify.webhooks import ForbiddenUrlError, Target, is_loopback, is_public, read_url
from batch_gateway.ports import Reply, UnreachableError

_SECONDS = 15.0
"""For everything: name, connection, TLS, sending, answer. Standard Webhooks 1.0.0 recommends 15 to 30 s."""
_CONNECT_SECONDS = 5.0
"""For one address, so that the next one has its chance."""
_MOST_ADDRESSES = 4


class HttpsReceivers:
    """The Receivers port.

    Args:
        allow_private: Whether addresses that are not public are fine, and plain HTTP to this machine itself;
            for tests and the local stack.
        seconds: Time limit of one attempt.
    """

    def __init__(self, *, allow_private: bool = False, seconds: float = _SECONDS) -> None:
        self._allow_private = allow_private
        self._seconds = seconds
        self._tls = ssl.create_default_context()
        self._tls.set_alpn_protocols(["http/1.1"])

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """See Receivers."""
        target = read_url(url, allow_private=self._allow_private)
        limit = _Limit(self._seconds)
        try:
            addresses = _resolve(target, limit)
            self._check(target, addresses)
            with self._connect(target, addresses[:_MOST_ADDRESSES], limit) as connection:
                limit.apply(connection)
                connection.sendall(_request(target, headers, body))
                answer = HTTPResponse(_Timed(connection, limit), method="POST")  # type: ignore[arg-type]
                # Up to the end of the headers; the body is never asked for.
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
                # Which address that is, is not told: names of the inside are not to be explored this way.
                raise ForbiddenUrlError(f"{target.host} has an address that is not of the public internet")
            if not (target.secure or is_loopback(address)):
                raise ForbiddenUrlError(f"{target.host} is not this machine")

    def _connect(self, target: Target, addresses: list[str], limit: "_Limit") -> socket.socket:
        last: OSError = OSError("no address")
        for address in addresses:
            try:
                connection = socket.create_connection(
                    (address, target.port), timeout=min(limit.left(), _CONNECT_SECONDS)
                )
            except OSError as error:
                last = error
                continue
            if not target.secure:
                return connection
            try:
                limit.apply(connection)
                return self._tls.wrap_socket(connection, server_hostname=target.host)
            except BaseException:
                connection.close()
                raise
        raise last


class _Limit:
    """What is left of the time for one attempt."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds.

        Raises:
            TimeoutError: None are.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def apply(self, connection: socket.socket) -> None:
        """Lets the next operation on a connection take what is left."""
        connection.settimeout(self.left())


class _Timed(io.RawIOBase):
    """What HTTPResponse needs of a socket: reads that all together stay within the limit."""

    def __init__(self, connection: socket.socket, limit: _Limit) -> None:
        self._connection = connection
        self._limit = limit

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._limit.apply(self._connection)
        return self._connection.recv_into(buffer)


def _resolve(target: Target, limit: _Limit) -> list[str]:
    """The addresses of a name, in the system's order of preference.

    Raises:
        OSError: It has none.
        TimeoutError: The system did not say in time; it knows no time limit of its own.
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
    asking.join(limit.left())
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
