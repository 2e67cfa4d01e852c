"""Call Vertex AI over HTTP, with Google tokens, pooled connections, and retries where they are safe."""

import random
import time
from collections.abc import Iterator, Mapping
from time import monotonic
from typing import Any

import urllib3

from batch_gateway import log_events
from batch_gateway.adapters.google_token import GoogleToken
from batch_gateway.core.jobs.record import JobKey
from batch_gateway.core.json_io import decode_object
from batch_gateway.core.json_limits import count_values
from batch_gateway.ports import (
    Absent,
    AnswerTooLargeError,
    UpstreamCredentialsError,
    UpstreamResponse,
    UpstreamUnavailableError,
)

_CONNECT_SECONDS = 5
_READ_SECONDS = 60
MAX_ANSWER_BYTES = 32 * 1024 * 1024
"""Limit of an answer, decompressed. A page of a hundred jobs with the most labels allowed has 2 MB, and a job
whose request had the largest size has 10 MiB."""
MAX_ANSWER_VALUES = 300_000
_HTTP_ERROR = 400
_PIECE_BYTES = 1024 * 1024
_POOL_SIZE = 64

_RETRIED = frozenset({429, 502, 503, 504})
_REFUSALS = frozenset({401, 403, 404, 429})
_LONGEST_DETAIL = 500
_TRIES = 3
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 4.0
"""A longer Retry-After is relayed to the caller."""


def host_of(location: str) -> str:
    """Return the API host of a location (discovery document, revision 20261106).

    The multi-regions us and eu have hosts of another form than regions.
    """
    if location == "global":
        return "aiplatform.googleapis.com"
    if location in {"us", "eu"}:
        return f"aiplatform.{location}.rep.googleapis.com"
    return f"{location}-aiplatform.googleapis.com"


class Vertex:
    """The Upstream port over HTTP.

    Args:
        served: Credentials by (project, location), as in Settings.
        emulator: ``host:port`` of an emulator, called in plain HTTP without a token; or None.
    """

    def __init__(self, served: Mapping[tuple[str, str], str | None], emulator: str | None = None) -> None:
        self._served = served
        self._emulator = emulator
        by_source = {source: GoogleToken(source) for source in set(served.values())}
        self._tokens = {place: by_source[source] for place, source in served.items()}
        # urllib3 and not requests, which would take a fifth of a relayed call's time. It uses no proxies, no
        # .netrc and no cookies: nothing adds an Authorization header, or a cookie of another caller.
        self._http = urllib3.PoolManager(_POOL_SIZE, maxsize=_POOL_SIZE, retries=False)

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
        sent_headers = {"Accept-Encoding": "gzip", **(headers or {})}
        if self._emulator:
            base = f"http://{self._emulator}"
        else:
            base = f"https://{host_of(location)}"
            token = self._tokens.get((project, location)) or self._tokens.get((project, "*"))
            if token is None:
                raise UpstreamCredentialsError(f"{project}/{location} is not in the configuration")
            sent_headers["Authorization"] = f"Bearer {token.get()}"
        url = f"{base}{path}?{query}" if query else base + path
        tries = _TRIES if method == "GET" else 1
        pause = _FIRST_PAUSE_SECONDS
        while True:
            tries -= 1
            try:
                response = self._send_once(method, url, sent_headers, body)
            except UpstreamUnavailableError as error:
                # Another try does not help after a time-out of a minute, or an answer that is too large.
                if not tries or (error.sent and error.timed_out) or isinstance(error, AnswerTooLargeError):
                    raise
                wait = pause
            else:
                wait = max(pause, _retry_after(response))
                if response.status not in _RETRIED or not tries or wait > _LONGEST_PAUSE_SECONDS:
                    if response.status in _REFUSALS:
                        _log_refusal(method, path, project, location, response)
                    return response
            time.sleep(wait * random.uniform(1.0, 1.2))  # noqa: S311 - jitter
            pause *= 2

    def get_job(self, key: JobKey) -> dict[str, object] | Absent:
        return self._fetch(key.path, key.project, key.location)

    def get(self, path: str, *, project: str, location: str, query: str = "") -> dict[str, object] | None:
        found = self._fetch(path, project, location, query)
        return None if isinstance(found, Absent) else found

    def _fetch(self, path: str, project: str, location: str, query: str = "") -> dict[str, object] | Absent:
        response = self.send("GET", f"/v1/{path}", project=project, location=location, query=query)
        if response.status in {403, 404}:
            return Absent(response.status)
        if response.status != 200:  # noqa: PLR2004 - HTTP's own number
            raise UpstreamUnavailableError(f"Vertex AI answered {response.status}", sent=True)
        found = decode_object(response.body)
        if found is None:
            raise UpstreamUnavailableError("the answer of Vertex AI is not a JSON object", sent=True)
        return found

    def _send_once(
        self, method: str, url: str, headers: dict[str, str], body: bytes | None
    ) -> UpstreamResponse:
        try:
            response = self._http.request(
                method,
                url,
                body=body,
                headers=headers,
                timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS),
                redirect=False,
                preload_content=False,
            )
            content = _read_error(response) if response.status >= _HTTP_ERROR else _read(response)
        except urllib3.exceptions.NewConnectionError as error:
            raise UpstreamUnavailableError("no connection to Vertex AI", sent=False) from error
        except urllib3.exceptions.ConnectTimeoutError as error:
            raise UpstreamUnavailableError(
                "no connection to Vertex AI", sent=False, timed_out=True
            ) from error
        except urllib3.exceptions.TimeoutError as error:
            raise UpstreamUnavailableError(
                f"Vertex AI did not answer within {_READ_SECONDS} s", sent=True, timed_out=True
            ) from error
        except urllib3.exceptions.HTTPError as error:
            raise UpstreamUnavailableError("the connection to Vertex AI broke off", sent=True) from error
        return UpstreamResponse(
            response.status, {name.lower(): value for name, value in response.headers.items()}, content
        )


def _log_refusal(method: str, path: str, project: str, location: str, response: UpstreamResponse) -> None:
    verb = path.rpartition("/")[2].partition(":")[2]
    call = verb or {"POST": "create", "DELETE": "delete"}.get(method, "get")
    body = decode_object(response.body) or {}
    error: Any = body.get("error")
    error = error if isinstance(error, dict) else {}
    details: Any = error.get("details")
    details = details if isinstance(details, list) else []
    reasons = [each["reason"] for each in details if isinstance(each, dict) and "reason" in each]
    reason = str(reasons[0] if reasons else error.get("status", ""))
    detail = str(error.get("message", ""))[:_LONGEST_DETAIL]
    log_events.refused(
        call, response.status, project=project, location=location, reason=reason, detail=detail
    )


def _read_error(response: urllib3.BaseHTTPResponse) -> bytes:
    """Read an error answer; return no content if it is too large, since its status is enough."""
    try:
        return _read(response)
    except AnswerTooLargeError:
        return b""


def _read(response: urllib3.BaseHTTPResponse) -> bytes:
    """Read and decompress an answer within its limits.

    Raises:
        AnswerTooLargeError: It is too large, or has too many values to be decoded.
        UpstreamUnavailableError: It does not end in time.
        HTTPError: It breaks off.
    """
    try:
        content = b"".join(_pieces(response))
    except BaseException:
        response.close()  # the rest must not be read as the next answer
        raise
    response.release_conn()
    try:
        count_values(content, MAX_ANSWER_VALUES)
    except ValueError as error:
        raise AnswerTooLargeError(f"cannot be decoded: {error}") from error
    return content


def _pieces(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    end = monotonic() + _READ_SECONDS
    size = 0
    while piece := response.read1(_PIECE_BYTES):
        size += len(piece)
        if size > MAX_ANSWER_BYTES:
            raise AnswerTooLargeError(f"is larger than {MAX_ANSWER_BYTES:,} bytes")
        if monotonic() > end:
            message = f"its answer did not end within {_READ_SECONDS} s"
            raise UpstreamUnavailableError(message, sent=True, timed_out=True)
        yield piece


def _retry_after(response: UpstreamResponse) -> float:
    """Return the seconds of Retry-After; 0 if it is missing or is a date, which Google does not send."""
    value = response.headers.get("retry-after", "")
    return float(value) if value.isdigit() else 0.0
