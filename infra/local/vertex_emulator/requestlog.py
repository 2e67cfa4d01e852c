"""Record the requests to the emulator, for tests of what a client really sends."""

import base64
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

_KEPT = 10_000


@dataclass(frozen=True)
class LoggedRequest:
    """A request as it was received.

    Attributes:
        method: The HTTP method.
        target: The raw request target: path and query, still percent-encoded.
        headers: Names and values in their order; a name may come twice.
        body: The bytes, after transfer decoding.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def path(self) -> str:
        """Return the target without its query."""
        return self.target.split("?", 1)[0]

    @property
    def query(self) -> str:
        """Return the raw query, or `""`."""
        return self.target.partition("?")[2]

    def header(self, name: str) -> str | None:
        """Return the first header of a name in any case, or None."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def as_json(self) -> dict[str, Any]:
        """Return the request in the form of `GET /emulator/requests`."""
        return {
            "method": self.method,
            "path": self.target,
            "headers": [list(pair) for pair in self.headers],
            "body": self.body.decode("utf-8", "replace"),
            "bodyBase64": base64.b64encode(self.body).decode(),
        }


class RequestLog:
    """The latest requests, oldest first; those to `/emulator/...` are left out."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: deque[LoggedRequest] = deque(maxlen=_KEPT)

    def add(self, request: LoggedRequest) -> None:
        """Keep a request; drop the oldest beyond ten thousand."""
        with self._lock:
            self._kept.append(request)

    def clear(self) -> None:
        """Forget all requests."""
        with self._lock:
            self._kept.clear()

    def all(self) -> list[LoggedRequest]:
        """Return the requests so far."""
        with self._lock:
            return list(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, index: int) -> LoggedRequest:
        return self.all()[index]
