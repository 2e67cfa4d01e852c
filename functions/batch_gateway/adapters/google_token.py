"""Obtain the access tokens for calls of Google's APIs, and refresh them ahead of their expiry."""

from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Lock
from typing import Any

import google.auth
import google.auth.exceptions
import google.auth.transport.requests
import msgspec
import requests

from batch_gateway.ports import UpstreamCredentialsError

_SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
_REFRESH_AHEAD = timedelta(minutes=5)
_SECONDS = 10
"""Time limit of a request for a token. google-auth's own is 120 s, longer than a create may take."""


class GoogleToken:
    """An access token that is refreshed ahead of its expiry.

    One thread refreshes it while the others use the old token, which is still valid.

    Args:
        credentials: A path or JSON of any kind that google-auth loads (service account, impersonation,
            workload identity …); None for application default credentials.
    """

    def __init__(self, credentials: str | None) -> None:
        self._source = credentials
        self._credentials: Any = None
        self._lock = Lock()
        self._session = requests.Session()

    def get(self) -> str:
        """Return a token that stays valid for a while.

        Raises:
            UpstreamCredentialsError: No token could be obtained.
        """
        if self._expires_in() > _REFRESH_AHEAD:
            return str(self._credentials.token)
        still_good = self._expires_in() > timedelta(seconds=30)
        if self._lock.acquire(blocking=not still_good):
            try:
                if self._expires_in() <= _REFRESH_AHEAD:
                    self._refresh(still_good=still_good)
            finally:
                self._lock.release()
        return str(self._credentials.token)

    def _expires_in(self) -> timedelta:
        if self._credentials is None or not self._credentials.token:
            return timedelta(0)
        if self._credentials.expiry is None:
            return timedelta.max
        # google-auth keeps naive times in UTC.
        return self._credentials.expiry.replace(tzinfo=UTC) - datetime.now(UTC)

    def _refresh(self, *, still_good: bool) -> None:
        try:
            if self._credentials is None:
                self._credentials = _load(self._source)
            request = google.auth.transport.requests.Request(self._session)
            self._credentials.refresh(partial(request, timeout=_SECONDS))
        # google-auth does not wrap the errors that a broken file or token endpoint causes.
        except (google.auth.exceptions.GoogleAuthError, OSError, ValueError, KeyError, TypeError) as error:
            if not still_good:
                raise UpstreamCredentialsError(f"{type(error).__name__}: {error}") from error


def _load(source: str | None) -> Any:
    if source is None:
        return google.auth.default(scopes=_SCOPES)[0]
    if not source.lstrip().startswith("{"):
        return google.auth.load_credentials_from_file(source, scopes=_SCOPES)[0]
    info = msgspec.json.decode(source)
    if info.get("type") == "impersonated_service_account" and "source_credentials" not in info:
        # On Cloud Run the function impersonates with its own identity, so there are no source credentials.
        from google.auth import impersonated_credentials  # noqa: PLC0415 - rarely needed, slow to import

        target = info["service_account_impersonation_url"].rpartition("/")[2].partition(":")[0]
        return impersonated_credentials.Credentials(
            source_credentials=google.auth.default(scopes=_SCOPES)[0],
            target_principal=target,
            target_scopes=_SCOPES,
            delegates=info.get("delegates"),
        )
    return google.auth.load_credentials_from_dict(info, scopes=_SCOPES)[0]
