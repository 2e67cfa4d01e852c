"""Errors of the API, in the form of AIP-193 (https://google.aip.dev/193)."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from batch_gateway.core.reasons import REASONS

DOMAIN: Literal["batch-gateway"] = "batch-gateway"

_LONGEST = 4_000
"""Longest message, in characters."""

_STATUS_OF_HTTP = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class ErrorInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The cause of an error of the gateway, in the form of google.rpc.ErrorInfo.

    Attributes:
        reason: For programs: stable.
        metadata: Further facts for programs.
    """

    type: Literal["type.googleapis.com/google.rpc.ErrorInfo"] = msgspec.field(
        default="type.googleapis.com/google.rpc.ErrorInfo", name="@type"
    )
    reason: Annotated[str, Meta(pattern="^[A-Z][A-Z0-9_]*$")]
    domain: Literal["batch-gateway"] = DOMAIN
    metadata: dict[str, str] | UnsetType = UNSET


class ErrorStatus(msgspec.Struct, frozen=True):
    """Code, message and cause of an error.

    Attributes:
        code: The HTTP status.
        message: The problem, and what to do next.
        status: Name in google.rpc.Code.
        details: The cause.
    """

    code: Annotated[int, Meta(ge=400, le=599)]
    message: str
    status: Annotated[str, Meta(pattern="^[A-Z_]+$")]
    details: tuple[ErrorInfo, ...]


class ErrorBody(msgspec.Struct, frozen=True):
    """An error of the gateway, in the form of AIP-193 (https://google.aip.dev/193)."""

    error: ErrorStatus


def status_of_http(code: int) -> str:
    """Return the google.rpc.Code name for an HTTP status that came without one."""
    return _STATUS_OF_HTTP.get(code, "INVALID_ARGUMENT" if code < 500 else "INTERNAL")  # noqa: PLR2004 - the border between client and server errors


def error_body(
    code: int, status: str, message: str, reason: str, metadata: dict[str, str] | None = None
) -> ErrorBody:
    """Return an AIP-193 error body with one ErrorInfo of the gateway.

    Args:
        code: HTTP status.
        status: Name in google.rpc.Code.
        message: For people: what is wrong and what to do next.
        reason: For programs: UPPER_SNAKE, stable.
        metadata: Further facts for programs.
    """
    info = ErrorInfo(reason=reason, metadata=metadata or UNSET)
    return ErrorBody(ErrorStatus(code, message, status, (info,)))


class ApiError(Exception):
    """An error that is sent to the caller.

    Attributes:
        status: Name in google.rpc.Code, e.g. ``PERMISSION_DENIED``.
        reason: UPPER_SNAKE reason of the ErrorInfo, e.g. ``API_KEY_INVALID``; one of REASONS, which has this
            status.
        message: For people: what is wrong and what to do next.
        metadata: Further facts for programs.
        retry_after: Seconds for the Retry-After header; None for no header.
        code: HTTP status.
        headers: Further headers of the response.
    """

    def __init__(
        self,
        status: str,
        reason: str,
        message: str,
        *,
        metadata: dict[str, str] | None = None,
        retry_after: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = _short(message)
        self.metadata = {name: _short(value) for name, value in (metadata or {}).items()}
        self.retry_after = retry_after
        self.code = REASONS[reason].statuses[status]
        self.headers = headers or {}

    def body(self) -> ErrorBody:
        """Return the body."""
        return error_body(self.code, self.status, self.message, self.reason, self.metadata)


def _short(text: str) -> str:
    """Cut the middle out of a text that is too long, since it may repeat what the caller sent."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 2 :]}"
