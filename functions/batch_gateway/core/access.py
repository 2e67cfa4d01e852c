"""Who calls, and what may become a host or a path."""

import hashlib
import hmac
import re

import msgspec

from batch_gateway.core.errors import ApiError

MASTER = "master"
"""Alias under which the administrator's key appears in costs."""

_LOCATION = re.compile(r"global|us|eu|[a-z]{2,20}-[a-z]{2,20}[0-9]{1,2}")
_PROJECT = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]|[a-z0-9.-]+\.[a-z]+:[a-z][a-z0-9-]*|[0-9]{1,19}")
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


class Caller(msgspec.Struct, frozen=True):
    """Who a request comes from.

    Attributes:
        api_key: Alias of the key.
        team: Its team; None if it has none.
    """

    api_key: str
    team: str | None = None


def authenticate(key: str | None, master_key: str | None) -> Caller:
    """The caller that a key stands for.

    Raises:
        ApiError: UNAUTHENTICATED without a key; PERMISSION_DENIED with a wrong one: on a 401, Google's
            clients try to refresh a static token and hide our message behind a RefreshError.
    """
    if not key:
        raise ApiError(
            "UNAUTHENTICATED",
            "API_KEY_MISSING",
            "No API key was sent. Send one as 'Authorization: Bearer KEY' or 'x-goog-api-key: KEY'.",
        )
    if master_key and hmac.compare_digest(_digest(key), _digest(master_key)):
        return Caller(api_key=MASTER)
    raise ApiError(
        "PERMISSION_DENIED",
        "API_KEY_INVALID",
        "The API key is not known to this gateway. Check that it was copied whole, or ask the gateway's "
        "administrator for a new one. (A Google access token is no gateway key.)",
    )


def is_location(location: str) -> bool:
    """Whether this could be one of Google's locations: it is about to become a host name."""
    return _LOCATION.fullmatch(location) is not None


def is_project(project: str) -> bool:
    """Whether this is a project id or a project number."""
    return _PROJECT.fullmatch(project) is not None


def check_place(project: str, location: str) -> None:
    """Refuses a project or location in a path that cannot be one.

    Raises:
        ApiError: INVALID_ARGUMENT.
    """
    if not is_project(project):
        message = f"{project!r} is neither a project id nor a project number."
        raise ApiError("INVALID_ARGUMENT", "PROJECT_INVALID", message)
    if not is_location(location):
        message = f"{location!r} is no location. Use a region such as us-central1, or global, us or eu."
        raise ApiError("INVALID_ARGUMENT", "LOCATION_INVALID", message)


def check_id(value: str, what: str) -> None:
    """Refuses an id (of a job or an operation) with characters that ids do not have."""
    if not _ID.fullmatch(value):
        raise ApiError(
            "INVALID_ARGUMENT", "ID_INVALID", f"{value!r} is no {what} id. Use the last part of its name."
        )


def _digest(key: str) -> bytes:
    """Of equal length whatever the key's, so that a comparison takes the same time."""
    return hashlib.sha256(key.encode()).digest()
