"""Errors of the API, in the form of AIP-193 (https://google.aip.dev/193)."""

from typing import Any

from batch_gateway.core.reasons import REASONS

DOMAIN = "batch-gateway"

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


def status_of_http(code: int) -> str:
    """Return the google.rpc.Code name for an HTTP status that came without one."""
    return _STATUS_OF_HTTP.get(code, "INVALID_ARGUMENT" if code < 500 else "INTERNAL")  # noqa: PLR2004 - the border between client and server errors


def error_body(
    code: int, status: str, message: str, reason: str, metadata: dict[str, str] | None = None
) -> dict[str, Any]:
    """Return an AIP-193 error body with one ErrorInfo of the gateway.

    Args:
        code: HTTP status.
        status: Name in google.rpc.Code.
        message: For people: what is wrong and what to do next.
        reason: For programs: UPPER_SNAKE, stable.
        metadata: Further facts for programs.
    """
    info: dict[str, Any] = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": DOMAIN,
    }
    if metadata:
        info["metadata"] = metadata
    return {"error": {"code": code, "message": message, "status": status, "details": [info]}}


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

    def body(self) -> dict[str, Any]:
        """Return the JSON body, as a dict."""
        return error_body(self.code, self.status, self.message, self.reason, self.metadata)


def _short(text: str) -> str:
    """Cut the middle out of a text that is too long, since it may repeat what the caller sent."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 2 :]}"
