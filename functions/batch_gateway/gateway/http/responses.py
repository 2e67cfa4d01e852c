"""Make responses: our own as JSON, and Vertex AI's relayed as they came."""

import zlib
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import msgspec
from werkzeug.wrappers import Request, Response

from batch_gateway.core.errors import ApiError, error_body, status_of_http
from batch_gateway.core.json_io import UNREADABLE
from batch_gateway.logs import log
from batch_gateway.ports import UpstreamResponse

_JSON = "application/json; charset=UTF-8"
_WORTH_COMPRESSING_BYTES = 1024
_GZIP_WINDOW = 31
"""zlib's wbits for a gzip header and the largest window."""
_HTTP_ERROR = 400
_SERVER_ERROR = 500


class RelayedResponse(Response):
    """A response of Vertex AI, which is neither compressed nor changed."""


class Health(msgspec.Struct, frozen=True):
    """The answer of a healthy gateway."""

    status: Literal["ok"] = "ok"


def json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON response of our own."""
    return Response(msgspec.json.encode(value), status, headers, content_type=_JSON)


def replay(body: bytes, headers: dict[str, str] | None = None) -> Response:
    """Return a stored response of Vertex AI again."""
    return RelayedResponse(body, 200, headers, content_type=_JSON)


def error(failure: ApiError) -> Response:
    """Return an error response of our own."""
    headers = dict(failure.headers)
    if failure.retry_after is not None:
        headers["Retry-After"] = str(failure.retry_after)
    if failure.status == "UNAUTHENTICATED":
        headers["WWW-Authenticate"] = 'Bearer realm="batch-gateway"'
    return json(failure.body(), failure.code, headers)


def relay(upstream: UpstreamResponse) -> Response:
    """Return Vertex AI's response byte for byte.

    An error that is not JSON (Google's front end answers unknown paths in HTML) becomes an AIP-193 error,
    since clients parse every error.
    """
    if upstream.status >= _SERVER_ERROR:
        log("WARNING", "upstream error", event="upstream.error", status=upstream.status)
    headers = {}
    if "retry-after" in upstream.headers:
        headers["Retry-After"] = upstream.headers["retry-after"]
    if upstream.status >= _HTTP_ERROR and parse_json(upstream) is None:
        status = status_of_http(upstream.status)
        message = (
            f"Vertex AI answered HTTP {upstream.status} without saying why. Check project, location and id."
        )
        return json(error_body(upstream.status, status, message, "UPSTREAM_ERROR"), upstream.status, headers)
    return RelayedResponse(
        upstream.body, upstream.status, headers, content_type=upstream.headers.get("content-type", _JSON)
    )


def compress(request: Request, response: Response) -> Response:
    """Compress a response of our own for a client that accepts gzip, if it is large or streamed."""
    if isinstance(response, RelayedResponse) or "Content-Encoding" in response.headers:
        return response
    if not response.is_streamed and len(response.get_data()) < _WORTH_COMPRESSING_BYTES:
        return response
    response.vary.add("Accept-Encoding")
    if request.accept_encodings["gzip"] > 0:
        response.headers["Content-Encoding"] = "gzip"
        if response.is_streamed:
            response.response = _gzip(response.iter_encoded())
        else:
            response.set_data(b"".join(_gzip([response.get_data()])))
    return response


def _gzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(wbits=_GZIP_WINDOW)
    for chunk in chunks:
        if packed := packer.compress(chunk):
            yield packed
    yield packer.flush()


def resource_name(response: Response) -> str:
    """Return the ``name`` of the resource in a response; empty if there is none."""
    try:
        return msgspec.json.decode(response.get_data(), type=_Named).name
    except UNREADABLE:
        return ""


class _Named(msgspec.Struct):
    name: str = ""


def parse_json(upstream: UpstreamResponse) -> Any:
    """Return the JSON object or array in a response; None if it is neither."""
    try:
        value = msgspec.json.decode(upstream.body)
    except UNREADABLE:
        return None
    return value if isinstance(value, dict | list) else None
