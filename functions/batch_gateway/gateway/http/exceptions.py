"""Turn exceptions of the ports, and unexpected ones, into AIP-193 errors."""

import traceback

from werkzeug.wrappers import Request

from batch_gateway.core.errors import ApiError
from batch_gateway.logs import log
from batch_gateway.ports import (
    AnswerTooLargeError,
    RecordError,
    StoreUnavailableError,
    UpstreamCredentialsError,
    UpstreamUnavailableError,
)


def as_api_error(error: Exception, request: Request) -> ApiError:
    """Return the error that a caller gets for an exception; whatever is no ApiError is logged.

    Args:
        error: The exception.
        request: The request that it ended.
    """
    if isinstance(error, ApiError):
        return error
    if isinstance(error, StoreUnavailableError | RecordError):
        return _as_store_error(error, request)
    if isinstance(error, AnswerTooLargeError):
        log("ERROR", "answer too large", event="upstream.error", status=502, path=request.path, error=error)
        message = f"Vertex AI's answer {error}. If it is a list, request smaller pages with pageSize."
        return ApiError("FAILED_PRECONDITION", "UPSTREAM_ANSWER_TOO_LARGE", message)
    if isinstance(error, UpstreamUnavailableError):
        log(
            "ERROR",
            "upstream unavailable",
            event="upstream.error",
            status=503,
            path=request.path,
            error=error,
        )
        message = f"Vertex AI cannot be reached: {error}. Try again."
        return ApiError("UNAVAILABLE", "UPSTREAM_UNAVAILABLE", message, retry_after=5)
    if isinstance(error, UpstreamCredentialsError):
        log("ERROR", "no Google token", path=request.path, error=error)
        message = "The gateway has no Google access token. Tell its administrator: the reason is in the log."
        return ApiError("INTERNAL", "UPSTREAM_CREDENTIALS", message)
    stack_trace = "".join(traceback.format_exception(error))
    log("ERROR", "unexpected error", path=request.path, stack_trace=stack_trace)
    message = (
        "Internal error in the gateway. Try again once; after a create, list jobs first. If it stays, tell "
        "the administrator the path and the time: the reason is in the log."
    )
    return ApiError("INTERNAL", "INTERNAL", message)


def _as_store_error(error: StoreUnavailableError | RecordError, request: Request) -> ApiError:
    if isinstance(error, RecordError):
        log("ERROR", "record unreadable", event="record.unreadable", record=request.path, error=error)
        message = (
            "A record of the gateway that this request needs (of a job, key, team or price) cannot be read. "
            "Tell its administrator the path and the time: the reason is in the log. Jobs keep running."
        )
        return ApiError("DATA_LOSS", "RECORD_UNREADABLE", message)
    log("ERROR", "Firestore unavailable", path=request.path, error=error)
    message = "The gateway's database does not answer. Try again."
    return ApiError("UNAVAILABLE", "BOOKS_UNAVAILABLE", message, retry_after=5)
