"""Whose identity token it is.

Anybody may send tokens, and checking a signature takes Google's certificates. So what a token claims is held
against what it has to be first, which costs microseconds; and the certificates are kept, and fetched again
once a minute at most, whatever keys the tokens name.
"""

import time
from collections.abc import Callable
from threading import Lock

import msgspec
import urllib3
from google.auth import jwt
from google.auth.exceptions import GoogleAuthError

from batch_gateway.core.access import tokens
from batch_gateway.core.json_io import UNREADABLE
from batch_gateway.logs import log

CERTIFICATES = "https://www.googleapis.com/oauth2/v1/certs"
"""Google's certificates by the id of their key ("Validate an ID token" of Google's documentation)."""
_FRESH_SECONDS = 3600.0
"""A new key is published days before it signs."""
_PAUSE_SECONDS = 60.0
_TIMEOUT = urllib3.Timeout(connect=5.0, read=5.0)
_MOST_BYTES = 64 * 1024
_OK = 200


class GoogleIdentities:
    """Checks identity tokens that Google has issued. One for each instance: it keeps the certificates."""

    def __init__(self, url: str = CERTIFICATES, clock: Callable[[], float] = time.monotonic) -> None:
        self._certificates = _Certificates(url, clock)

    def is_of(self, token: str, account: str, audience: str, *, checked: bool) -> bool:
        """Whether a token was made by Google for an account and an audience, and is good now.

        Args:
            token: A JWT.
            account: E-mail of the account.
            audience: What it must have been made for.
            checked: It is the one that Cloud Run has checked already. Where Cloud Run then took its signature
                off, its claims are taken as they are; one that has its signature is verified all the same.
        """
        claims = tokens.claims_of(token)
        if claims is None or not claims.is_valid(account, audience, time.time()):
            return False
        if token.endswith(tokens.UNSIGNED):
            return checked
        certificates = self._certificates.of(tokens.key_id_of(token) or "")
        try:
            jwt.decode(token, certificates, audience=audience, clock_skew_in_seconds=tokens.LEEWAY_SECONDS)
        except (ValueError, GoogleAuthError):
            return False
        return True


class _Certificates:
    def __init__(self, url: str, clock: Callable[[], float]) -> None:
        self._url = url
        self._clock = clock
        self._pool = urllib3.PoolManager(retries=False, timeout=_TIMEOUT)
        self._lock = Lock()
        self._known: dict[str, str] = {}
        self._fetched = self._tried = float("-inf")

    def of(self, key_id: str) -> dict[str, str]:
        """The certificates that are known, fetched anew if they are old or the key is not among them."""
        with self._lock:
            now = self._clock()
            stale = now - self._fetched > _FRESH_SECONDS or key_id not in self._known
            if stale and now - self._tried > _PAUSE_SECONDS:
                self._tried = now
                self._fetch(now)
            return self._known

    def _fetch(self, now: float) -> None:
        try:
            self._known = msgspec.json.decode(self._download(), type=dict[str, str])
            self._fetched = now
        except (urllib3.exceptions.HTTPError, ValueError, *UNREADABLE) as error:
            # Those that are known go on being good: Google lets keys overlap for days.
            log("WARNING", "Google's certificates not fetched", error=error)

    def _download(self) -> bytes:
        response = self._pool.request("GET", self._url, preload_content=False, redirect=False)
        body = response.read(_MOST_BYTES + 1)
        response.close()
        if response.status != _OK or len(body) > _MOST_BYTES:
            raise ValueError(f"HTTP {response.status} with {len(body)} bytes")
        return body
