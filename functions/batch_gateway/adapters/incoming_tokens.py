"""Verify identity tokens that Google has issued.

Anybody may send tokens, and verifying a signature takes Google's certificates. So a token's claims are
checked first, which takes microseconds; and the certificates are cached, and fetched again once a minute at
most, whatever keys the tokens name.
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
    """Verifies identity tokens that Google has issued. One for each instance: it caches the certificates."""

    def __init__(self, url: str = CERTIFICATES, clock: Callable[[], float] = time.monotonic) -> None:
        self._certificates = _Certificates(url, clock)

    def is_token_of(self, token: str, account: str, audience: str, *, checked: bool) -> bool:
        """Return whether Google has issued a token to an account for an audience, and it is valid now.

        Args:
            token: A JWT.
            account: E-mail address of the account.
            audience: Audience that the token must have.
            checked: Whether Cloud Run has checked the token already. If Cloud Run has removed the signature,
                its claims are trusted; a token with its signature is verified in any case.
        """
        claims = tokens.claims_of(token)
        if claims is None or not claims.is_valid(account, audience, time.time()):
            return False
        if token.endswith(tokens.UNSIGNED):
            return checked
        certificates = self._certificates.get(tokens.key_id_of(token) or "")
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

    def get(self, key_id: str) -> dict[str, str]:
        """Return the certificates; fetch them again if they are old or lack a key."""
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
            # The cached ones stay valid: Google lets keys overlap for days.
            log("WARNING", "Google's certificates not fetched", error=error)

    def _download(self) -> bytes:
        response = self._pool.request("GET", self._url, preload_content=False, redirect=False)
        body = response.read(_MOST_BYTES + 1)
        response.close()
        if response.status != _OK or len(body) > _MOST_BYTES:
            raise ValueError(f"HTTP {response.status} with {len(body)} bytes")
        return body
