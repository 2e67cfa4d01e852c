"""Who calls, and what may become a host or a path."""

import hashlib
import hmac
import re
from collections.abc import Mapping

import msgspec

from batch_gateway.core.access.grants import Grant
from batch_gateway.core.accounting.budgets import OwnedBudget
from batch_gateway.core.errors import ApiError
from batch_gateway.core.jobs.labels import OURS
from batch_gateway.core.jobs.resource_names import is_location, is_project

MASTER = "master"
"""Alias under which the administrator's key appears in costs."""

TEAM_LABEL, KEY_LABEL, MARKER_LABEL = OURS

_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


class Caller(msgspec.Struct, frozen=True):
    """Who a request comes from.

    Attributes:
        api_key: Alias of the key.
        team: Id of its team; None if it has none.
        key_id: Id of the key; None for the administrator's.
        grants: What the key and its team allow; none for the administrator, who may do everything.
        budgets: The budgets of key and team, where they have any.
    """

    api_key: str
    team: str | None = None
    key_id: str | None = None
    grants: tuple[Grant, ...] = ()
    budgets: tuple[OwnedBudget, ...] = ()

    @property
    def is_admin(self) -> bool:
        """Whether this is the administrator."""
        return self.key_id is None

    @property
    def scope(self) -> tuple[str, str] | None:
        """Key and value of the label that the caller's jobs carry; None for the administrator.

        A team's keys share its jobs. A key without a team has its own.
        """
        if self.key_id is None:
            return None
        return (TEAM_LABEL, self.team) if self.team else (KEY_LABEL, self.key_id)

    @property
    def record_scope(self) -> tuple[str, str] | None:
        """Member and value that the caller's jobs have in the books; None for the administrator."""
        if self.key_id is None:
            return None
        return ("team", self.team) if self.team else ("key_id", self.key_id)

    @property
    def rate_limits(self) -> list[tuple[str, int]]:
        """(counter, requests a minute) that a request counts against."""
        counters = (f"key:{self.key_id}", f"team:{self.team}")
        return [
            (counter, grant.rpm_limit)
            for counter, grant in zip(counters, self.grants, strict=False)
            if grant.rpm_limit is not None
        ]

    def owns(self, labels: Mapping[str, object]) -> bool:
        """Whether a job with these labels is the caller's to see and to end."""
        return self.scope is None or labels.get(self.scope[0]) == self.scope[1]


def authenticate_master(secret: str, master_key: str | None) -> Caller | None:
    """The administrator, if the secret is the master key."""
    if master_key and hmac.compare_digest(_digest(secret), _digest(master_key)):
        return Caller(api_key=MASTER)
    return None


def missing_key() -> ApiError:
    """The answer to a request without a key."""
    return ApiError(
        "UNAUTHENTICATED",
        "API_KEY_MISSING",
        "No API key was sent. Send one as 'Authorization: Bearer KEY' or 'x-goog-api-key: KEY'.",
    )


def invalid_key(problem: str) -> ApiError:
    """The answer to a key that is not good.

    PERMISSION_DENIED, because on a 401 Google's clients try to refresh a static token and hide our
    message behind a RefreshError.
    """
    return ApiError(
        "PERMISSION_DENIED",
        "API_KEY_INVALID",
        f"The API key {problem}. Check that it was copied whole, or ask the gateway's administrator for "
        "another one. (A Google access token is no gateway key.)",
    )


def not_yours(permission: str, resource: str) -> ApiError:
    """The answer to a call for a job that is somebody else's, or nobody's: they look the same (AIP-211)."""
    return ApiError(
        "PERMISSION_DENIED",
        "JOB_NOT_ALLOWED",
        f"Permission 'aiplatform.batchPredictionJobs.{permission}' denied on resource "
        f"'//aiplatform.googleapis.com/{resource}' (or it may not exist). An API key sees its team's jobs.",
        metadata={"resource": resource, "permission": f"aiplatform.batchPredictionJobs.{permission}"},
    )


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
    return hashlib.sha256(key.encode(errors="surrogatepass")).digest()
