"""Call the gateway's HTTP API."""

import ssl
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import msgspec
import requests
from requests.auth import AuthBase

from gateway_cli.declaring import base_url
from gateway_cli.errors import AnswerError, UnreachableError, UsageError

_SECONDS = (10, 540)
"""Time limits of connecting, and between two pieces of an answer: a sweep may take its whole nine minutes."""
_HTTP_ERROR = 300
"""First status of an error. The gateway never redirects; a login page in front of it does."""
_MOST_SHOWN = 300
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_CHUNK = 64 * 1024

Query = Mapping[str, str | int | list[str] | None]
# Money comes as strings, but budgets as JSON numbers: they must not become floats.
_DECODER = msgspec.json.Decoder(float_hook=Decimal)


class _Bearer(AuthBase):
    """Sets our key; without an auth object, requests would send the credentials of ~/.netrc."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


class Client:
    """Calls the gateway with one key.

    Args:
        url: Base URL, such as ``https://gateway-abc.run.app``.
        key: The secret.

    Raises:
        UsageError: The URL is invalid, or the key cannot be sent.
    """

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
            raise UsageError(f"{url!r} is not the URL of a gateway: write it as https://HOST")
        if not key.isascii() or not key.isprintable() or " " in key:
            raise UsageError(
                "The key has spaces or other characters that no key has. Check --key-file, GATEWAY_KEY or "
                "the profile."
            )
        self.url = base_url(url)
        self.in_the_clear = parts.scheme == "http" and parts.hostname not in _LOOPBACK
        self._session = requests.Session()
        self._session.auth = _Bearer(key)

    def get(self, path: str, query: Query | None = None) -> Any:
        """Return the answer to a GET.

        Raises:
            AnswerError: The answer is an error.
            UnreachableError: There is no answer.
        """
        return self._json("GET", path, query=query)

    def post(self, path: str, body: Any) -> Any:
        """Return the answer to a POST of JSON; errors as with ``get``."""
        return self._json("POST", path, body=msgspec.json.encode(body))

    def post_raw(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> Any:
        """Return the answer to a POST of encoded JSON; errors as with ``get``."""
        return self._json("POST", path, body=body, headers=headers)

    def put(self, path: str, body: bytes) -> Any:
        """Return the answer to a PUT of encoded JSON; errors as with ``get``."""
        return self._json("PUT", path, body=body)

    def delete(self, path: str) -> Any:
        """Return the answer to a DELETE; errors as with ``get``."""
        return self._json("DELETE", path)

    def stream(self, path: str, query: Query) -> Iterator[bytes]:
        """Yield a file in pieces; errors as with ``get``, and UnreachableError also if it breaks off."""
        with self._send("GET", path, query=query, stream=True) as answer:
            try:
                yield from answer.iter_content(_CHUNK)
            except requests.RequestException as error:
                raise UnreachableError(
                    f"The file broke off: {_cause(error)}. What was received is incomplete."
                ) from error

    def _json(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        answer = self._send(method, path, query=query, body=body, headers=headers)
        try:
            return _DECODER.decode(answer.content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _stranger(self.url, answer) from error

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
    ) -> requests.Response:
        try:
            answer = self._session.request(
                method,
                f"{self.url}{path}",
                params=query,
                data=body,
                headers={
                    **({"Content-Type": "application/json"} if body is not None else {}),
                    **(headers or {}),
                },
                timeout=_SECONDS,
                allow_redirects=False,
                stream=stream,
            )
        except requests.RequestException as error:
            raise _unreachable(self.url, error) from error
        if answer.status_code >= _HTTP_ERROR:
            raise _refusal(self.url, answer)
        return answer


def _refusal(url: str, answer: requests.Response) -> AnswerError:
    """Return the error that an answer of the gateway, Vertex AI or another server stands for."""
    try:
        body = _DECODER.decode(answer.content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, requests.RequestException):
        body = None
    found = body.get("error") if isinstance(body, dict) else None
    if not isinstance(found, dict):
        return _stranger(url, answer)
    infos = [each for each in found.get("details") or () if isinstance(each, dict) and "reason" in each]
    info = infos[0] if infos else {}
    seconds = answer.headers.get("Retry-After", "")
    return AnswerError(
        str(found.get("message") or f"HTTP {answer.status_code}, without a message."),
        code=answer.status_code,
        name=str(found.get("status", "")),
        reason=str(info.get("reason", "")),
        metadata={str(name): str(value) for name, value in (info.get("metadata") or {}).items()},
        retry_after=int(seconds) if seconds.isascii() and seconds.isdigit() else None,
    )


def _stranger(url: str, answer: requests.Response) -> AnswerError:
    where = (
        f" It leads to {answer.headers['Location'][:_MOST_SHOWN]}." if "Location" in answer.headers else ""
    )
    return AnswerError(
        f"{url} did not answer as the gateway does (HTTP {answer.status_code}, "
        f"{answer.headers.get('Content-Type', 'no content type')}).{where} Is it the gateway's URL?",
        code=answer.status_code,
    )


def _unreachable(url: str, error: BaseException) -> UnreachableError:
    """Return the error for a call without an answer."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return UnreachableError(
                f"The certificate of {url} is not trusted: {cause.verify_message}. Is the URL right? If your "
                "organisation signs its own certificates, name their file in REQUESTS_CA_BUNDLE."
            )
        if isinstance(cause, ssl.SSLError):
            return UnreachableError(
                f"What listens at {url} does not speak HTTPS. If it is a gateway on your own machine, write "
                f"http://{urlsplit(url).netloc}; else check host and port."
            )
    return UnreachableError(
        f"No answer from {url}: {_cause(error)}. Is the gateway running, and is the URL right?"
    )


def _cause(error: BaseException) -> str:
    """Return the root cause of an error, which requests wraps several times."""
    if isinstance(error, requests.Timeout):
        return "it took too long"
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.strerror and not isinstance(cause, requests.RequestException):
            return cause.strerror.lower()
    return type(error).__name__


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
