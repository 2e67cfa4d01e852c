"""Vertex AI."""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from batch_gateway.core.jobs.record import JobKey


class UpstreamUnavailableError(Exception):
    """Vertex AI could not be reached or did not answer.

    Attributes:
        sent: The request may have been received, so that its fate is unknown.
        timed_out: It was a time limit that ended the wait.
    """

    def __init__(self, message: str, *, sent: bool, timed_out: bool = False) -> None:
        super().__init__(message)
        self.sent = sent
        self.timed_out = timed_out


class AnswerTooLargeError(UpstreamUnavailableError):
    """Vertex AI answered with more than is read; a list may be asked for in smaller pages."""

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=True)


class UpstreamCredentialsError(Exception):
    """No Google access token could be had for a project; the message says why."""


class UpstreamResponse(msgspec.Struct, frozen=True):
    """An answer of Vertex AI: HTTP status, headers by lower-case name, body as it came."""

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
        """Sends a request with a Google token of ours; GETs are retried where that is safe.

        Args:
            method: HTTP method.
            path: From the version on: ``/v1/projects/…``.
            project: Id of the project, as configured: decides whose token is sent.
            location: Decides the host.
            query: Raw query string, without ``?``.
            headers: What to pass on, already rid of credentials.
            body: Raw body, or None.

        Raises:
            UpstreamUnavailableError: No answer.
            UpstreamCredentialsError: No token.
        """

    def get(self, path: str, *, project: str, location: str, query: str = "") -> dict[str, object] | None:
        """A resource, or a page of a list; None if there is none or it may not be seen.

        Args:
            path: After the version: ``projects/…``.
            project: As in send.
            location: As in send.
            query: As in send.

        Raises:
            UpstreamUnavailableError: No answer, or one that is no answer (5xx, 429).
            UpstreamCredentialsError: No token.
        """

    def get_job(self, key: JobKey) -> dict[str, object] | None:
        """The job resource, whole; None if there is no such job or it may not be seen.

        Raises:
            UpstreamUnavailableError: No answer, or one that is no answer (5xx, 429).
            UpstreamCredentialsError: No token.
        """
