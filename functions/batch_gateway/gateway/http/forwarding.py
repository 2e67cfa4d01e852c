"""Choose what of a request is forwarded to Vertex AI: its query parameters and its headers."""

import re
from urllib.parse import quote, unquote_plus

from werkzeug.wrappers import Request

from batch_gateway.core.errors import ApiError

_NOT_FORWARDED = frozenset(
    {
        *("key", "access_token", "oauth_token", "bearer_token"),
        *("httpMethod", "httpHeaders", "userProject", "name", "parent"),
    }
)
"""Credentials, and parameters that would turn a call into another: Google binds parameters to fields."""
SYSTEM_PARAMETERS = frozenset(
    {"alt", "prettyPrint", "quotaUser", "xgafv", ".xgafv", "uploadType", "upload_protocol"}
)
"""Parameters that every method has and that do not change what it does, without ``fields``."""
_QUERY_MARKS = "!$%&'()*+,-./:;=?@[]_~"
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_FORWARDED_HEADERS = ("User-Agent", "X-Goog-Api-Client", "X-Goog-Request-Params")


def query(
    request: Request, *, without: frozenset[str] = frozenset(), only: frozenset[str] | None = None
) -> str:
    """Return the query string for Vertex AI: as it came, without parameters that must not be forwarded.

    Args:
        request: The request.
        without: Further parameters to leave out.
        only: The only parameters to keep; None to keep all others.

    Raises:
        ApiError: The query asks for an answer that is not JSON.
    """
    kept = []
    # Bytes that may stand in a query are kept; any other is percent-encoded.
    for part in _STRAY_PERCENT.sub("%25", quote(request.query_string, safe=_QUERY_MARKS)).split("&"):
        name, _, value = (unquote_plus(text) for text in part.partition("="))
        # System parameters may be written with a dollar: https://cloud.google.com/apis/docs/system-parameters
        name = name.removeprefix("$")
        if name == "callback" or (name == "alt" and value.partition(";")[0].lower() not in {"json", ""}):
            raise ApiError(
                "INVALID_ARGUMENT",
                "FORMAT_NOT_SUPPORTED",
                f"The gateway answers in JSON only: leave out the parameter {name!r}.",
            )
        if part and name not in _NOT_FORWARDED | without and (only is None or name in only):
            kept.append(part)
    return "&".join(kept)


def is_partial(request: Request) -> bool:
    """Return whether the answer may lack fields because the caller asked for certain fields only."""
    return any(name.removeprefix("$") in {"fields", "readMask", "read_mask"} for name in request.args)


def headers(request: Request, *, has_body: bool) -> dict[str, str]:
    """Return the headers for Vertex AI: they identify the client, and never carry credentials."""
    sent = {name: request.headers[name] for name in _FORWARDED_HEADERS if name in request.headers}
    if has_body:
        # curl -d declares the body as a form.
        sent["Content-Type"] = "application/json"
    return sent
