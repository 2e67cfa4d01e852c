"""Define access to Vertex AI."""

from collections.abc import Mapping
from enum import Enum
from typing import Protocol

import msgspec

from batch_gateway.core.jobs.record import JobKey


class UpstreamUnavailableError(Exception):
    """Vertex AI could not be reached or did not answer.

    Attributes:
        sent: The request may have been received, so its outcome is unknown.
        timed_out: The wait ended with a time limit.
    """

    def __init__(self, message: str, *, sent: bool, timed_out: bool = False) -> None:
        super().__init__(message)
        self.sent = sent
        self.timed_out = timed_out


class AnswerTooLargeError(UpstreamUnavailableError):
    """Vertex AI's answer is larger than the limit; a list can be requested in smaller pages."""

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=True)


class UpstreamCredentialsError(Exception):
    """There is no Google access token for a project; the message says why."""


class Absent(Enum):
    """Reason why there is no resource in an answer: its HTTP status."""

    DENIED = 403
    MISSING = 404


class UpstreamResponse(msgspec.Struct, frozen=True):
    """A response of Vertex AI: HTTP status, headers by lower-case name, body as it came."""

    status: int
    headers: dict[str, str]
    body: bytes


class Upstream(Protocol):
    """Vertex AI."""

    def send(
        self,
        method: str,
        path: str,
        *,
        project: str,
        location: str,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> UpstreamResponse:
        """Send a request with the gateway's own Google token; GETs are retried where that is safe.

        Args:
            method: HTTP method.
            path: Path from the version on: ``/v1/projects/…``.
            project: Id of the project, as configured: decides whose token is sent.
            location: Location: decides the host.
            query: Raw query string, without ``?``.
            headers: Headers to forward, without credentials.
            body: Raw body, or None.

        Raises:
            UpstreamUnavailableError: No answer.
            UpstreamCredentialsError: No token.
        """

    def get(self, path: str, *, project: str, location: str, query: str = "") -> dict[str, object] | None:
        """Get a resource or a page of a list; None if there is none or access is denied.

        Args:
            path: Path after the version: ``projects/…``.
            project: As in send.
            location: As in send.
            query: As in send.

        Raises:
            UpstreamUnavailableError: No answer, or one that leaves it open (5xx, 429).
            UpstreamCredentialsError: No token.
        """

    def get_job(self, key: JobKey) -> dict[str, object] | Absent:
        """Get the whole job resource, or the reason why there is none.

        Raises:
            UpstreamUnavailableError: No answer, or one that leaves it open (5xx, 429).
            UpstreamCredentialsError: No token.
        """
