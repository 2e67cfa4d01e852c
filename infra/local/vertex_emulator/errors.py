"""Errors that the emulator raises, and their form on the wire: Google's envelope (AIP-193)."""

from dataclasses import dataclass, field
from html import escape
from typing import Any

STATUS_OF_HTTP = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}

# google/rpc/code.proto; a job's `error.code` carries these numbers, not HTTP's.
CANCELLED = 1
INVALID_ARGUMENT = 3
FAILED_PRECONDITION = 9
UNIMPLEMENTED = 12
INTERNAL = 13


@dataclass
class ApiError(Exception):
    """An answer in Google's error envelope.

    Attributes:
        http: The HTTP status, which is also the envelope's `code`.
        message: The text for the developer.
        status: The name of the google.rpc.Code; derived from `http` when empty.
        details: google.rpc detail messages; Vertex AI often sends none.
    """

    http: int
    message: str
    status: str = ""
    details: list[dict[str, Any]] = field(default_factory=list)

    def body(self) -> dict[str, Any]:
        """Return the JSON envelope."""
        status = self.status or STATUS_OF_HTTP.get(self.http, "UNKNOWN")
        error: dict[str, Any] = {"code": self.http, "message": self.message, "status": status}
        if self.details:
            error["details"] = self.details
        return {"error": error}


def bad_request(violations: list[tuple[str, str]], message: str = "") -> ApiError:
    """Return a 400 with google.rpc.BadRequest details.

    Args:
        violations: Pairs of a field's path (may be empty) and what is wrong with it.
        message: The envelope's message; by default all descriptions, one a line, as Google's front end does.
    """
    listed = [
        {"field": path, "description": text} if path else {"description": text} for path, text in violations
    ]
    detail = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": listed}
    return ApiError(400, message or "\n".join(text for _, text in violations), details=[detail])


def not_found(what: str) -> ApiError:
    """Return the 404 that Vertex AI gives for a resource: `The BatchPredictionJob does not exist.`."""
    return ApiError(404, f"The {what} does not exist.")


def failed_precondition(message: str) -> ApiError:
    """Return the 400 FAILED_PRECONDITION that a live `:cancel` of a finished job got."""
    return ApiError(400, message, "FAILED_PRECONDITION")


def html_404(path: str) -> bytes:
    """Return the HTML page that Google's front end serves for a URL that it does not know."""
    return (
        "<!DOCTYPE html>\n<html lang=en>\n  <meta charset=utf-8>\n"
        "  <title>Error 404 (Not Found)!!1</title>\n"
        "  <p><b>404.</b> <ins>That's an error.</ins>\n"
        f"  <p>The requested URL <code>{escape(path)}</code> was not found on this server."
        "  <ins>That's all we know.</ins>\n"
    ).encode()
