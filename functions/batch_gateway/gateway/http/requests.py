"""Read requests: the key, the address, the checked path and body, and what may be sent upstream."""

import re
from ipaddress import IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from werkzeug.exceptions import ClientDisconnected
from werkzeug.wrappers import Request

from batch_gateway.core.errors import ApiError
from batch_gateway.core.json_limits import count_values
from batch_gateway.gateway.http import connections

MAX_BODY_BYTES = 10 * 1024 * 1024
"""Google's own limit on a request's payload."""
MOST_WIDE_BYTES = MAX_BODY_BYTES // 4
"""Limit for a body with characters beyond ASCII: each may take four bytes of memory."""

LARGE_BYTES = 1024 * 1024
LARGE_VALUES = 5_000
"""A body that reaches either is large: there is not enough memory for one in every request at once."""
MOST_LARGE = 2
_large = connections.Quota(each=MOST_LARGE, all_=4)
"""Four large bodies of 40 MiB each, beside small ones, fit into the 512 MiB of an instance as deployed."""
_ROOM = "batch_gateway.room"

_LONGEST_TARGET = 32 * 1024
# Letters, digits and the marks that resource names are made of. Clients may encode the colon of a verb.
_PATH = re.compile(r"(?:[A-Za-z0-9_.~:@-]|/(?!/)|%3[Aa])*")


def api_key(request: Request) -> str | None:
    """Return the caller's key from where Google's and LiteLLM's clients put it; None if there is none."""
    litellm = request.headers.get("x-litellm-api-key", "").strip()
    return (
        _bearer(litellm)
        or litellm
        or request.headers.get("x-goog-api-key", "").strip()
        or _bearer(request.headers.get("Authorization", ""))
        or request.args.get("key")
        or None
    )


def _bearer(value: str) -> str:
    scheme, _, token = value.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def address(request: Request) -> str:
    """Return the client's IPv4 address, or the /64 network of its IPv6 address; empty if unknown.

    It is the last entry of X-Forwarded-For, which Google's front end writes; the client can forge those
    before it. Behind your own load balancer it is the balancer's address, so all callers share one.
    """
    last = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip() or request.remote_addr or ""
    try:
        found = ip_address(last)
    except ValueError:
        return ""
    return str(IPv6Network((found, 64), strict=False)) if isinstance(found, IPv6Address) else str(found)


def check_path(request: Request) -> None:
    """Reject a path that Vertex AI might read differently than the gateway does.

    Raises:
        ApiError: The path has encoded characters, dot segments, doubled slashes or other marks, or path and
            query together are too long.
    """
    raw = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or request.path
    if len(raw) > _LONGEST_TARGET:
        message = f"Path and query must not be longer than {_LONGEST_TARGET} characters. Split the request."
        raise ApiError("INVALID_ARGUMENT", "PATH_INVALID", message)
    path = urlsplit(raw).path if not raw.startswith("/") else raw.partition("?")[0]
    if not _PATH.fullmatch(path) or any(segment in {".", ".."} for segment in path.split("/")):
        raise ApiError(
            "INVALID_ARGUMENT",
            "PATH_INVALID",
            "The path has characters or segments that cannot be in a resource name. Write it without "
            "percent-encoding, '//', '.' or '..', and your client's base URL without a slash at its end.",
        )


def body(request: Request) -> bytes:
    """Return the raw body, small enough to be decoded.

    Raises:
        ApiError: As ``raw_body``, or the body has too many values.
    """
    data = raw_body(request)
    if len(data) > MOST_WIDE_BYTES and not (data.isascii() and b"\\u" not in data):
        raise _too_large()
    try:
        if count_values(data) > LARGE_VALUES:
            _take_room(request)
    except ValueError as error:
        message = f"Invalid body: {error}. Rows belong in a file (POST /v1/inputs) that inputConfig names."
        raise ApiError("INVALID_ARGUMENT", "BODY_TOO_COMPLEX", message) from error
    return data


def raw_body(request: Request) -> bytes:
    """Return the raw body, which may be too complex to be decoded.

    Raises:
        ApiError: The body is compressed or too large, does not arrive in time or breaks off, or too many
            large bodies are being handled.
    """
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise ApiError(
            "INVALID_ARGUMENT",
            "BODY_INVALID",
            "The body is compressed, as its Content-Encoding says. Send it as it is, without this header.",
        )
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise _too_large()
    pieces = []
    size = 0
    with connections.body_timeout(request, api_key(request) or "") as wait:
        try:
            while piece := request.stream.read(min(connections.PIECE_BYTES, MAX_BODY_BYTES + 1 - size)):
                pieces.append(piece)
                size += len(piece)
                if size >= LARGE_BYTES:
                    _take_room(request)
        except (OSError, ClientDisconnected) as error:
            raise _too_slow() if wait and wait.cut else _broken_off() from error
    if wait and wait.cut:
        raise _too_slow()
    if size > MAX_BODY_BYTES:
        raise _too_large()
    connections.mark_read(request)
    return b"".join(pieces)


def release(request: Request) -> None:
    """Free the memory allowance that a request's large body took."""
    caller = request.environ.pop(_ROOM, None)
    if caller is not None:
        _large.release(caller)


def _take_room(request: Request) -> None:
    """Reserve the memory allowance of a large body until the request is answered.

    Raises:
        ApiError: The allowance is used up.
    """
    caller = api_key(request) or ""
    if _ROOM in request.environ:
        return
    if not _large.acquire(caller):
        raise ApiError(
            "RESOURCE_EXHAUSTED",
            "TOO_MANY_LARGE_BODIES",
            f"At most {MOST_LARGE} bodies of more than {LARGE_BYTES} bytes or {LARGE_VALUES} values are "
            "handled at a time for one key, and twice as many in all. Send it again in a moment.",
            retry_after=1,
        )
    request.environ[_ROOM] = caller


def _broken_off() -> ApiError:
    return ApiError("INVALID_ARGUMENT", "BODY_INVALID", "The body broke off. Send the request again.")


def _too_slow() -> ApiError:
    return ApiError(
        "INVALID_ARGUMENT",
        "BODY_TOO_SLOW",
        f"The body did not arrive within {connections.BODY_SECONDS:g} s, or too many slow bodies were being "
        f"sent: {connections.MOST_SLOW} at once with one key, or too many in all. Send it again.",
    )


def _too_large() -> ApiError:
    return ApiError(
        "INVALID_ARGUMENT",
        "BODY_TOO_LARGE",
        f"The body is larger than {MAX_BODY_BYTES} bytes, or {MOST_WIDE_BYTES} if it has characters beyond "
        "ASCII. Put the input into Cloud Storage (POST /v1/inputs with its name returns a URL to upload "
        "it to) and name it in inputConfig.",
    )
