"""Callers, and the errors for requests that come from none."""

import hashlib
import hmac
from collections.abc import Mapping

import msgspec

from batch_gateway.core.access.label_policy import LabelPolicy
from batch_gateway.core.access.limits import Grant
from batch_gateway.core.accounting.budgets import OwnedBudget
from batch_gateway.core.errors import ApiError
from batch_gateway.core.jobs.labels import KEY_LABEL, TEAM_LABEL

MASTER = "master"
"""Alias under which the master key appears in costs and in the audit trail; no other key can have it."""


class Caller(msgspec.Struct, frozen=True):
    """The sender of a request.

    Attributes:
        api_key: Alias of the key.
        team: Id of its team; None if it has none.
        key_id: Id of the key; None for an administrator's: its jobs are owned like the master key's, by their
            team label alone.
        grants: The grants of the key and its team; none for an administrator, who may do everything.
        budgets: The budgets of the key and its team, where they have any.
        label_policies: What the team and then the key want of the labels of jobs.
        is_viewer: True if the key may only read.
    """

    api_key: str
    team: str | None = None
    key_id: str | None = None
    grants: tuple[Grant, ...] = ()
    budgets: tuple[OwnedBudget, ...] = ()
    label_policies: tuple[LabelPolicy, ...] = ()
    is_viewer: bool = False

    @property
    def is_master(self) -> bool:
        """True for the master key."""
        return self.api_key == MASTER

    @property
    def is_admin(self) -> bool:
        """True for the master key and for keys with the role ``admin``."""
        return self.key_id is None

    @property
    def sees_everything(self) -> bool:
        """True for administrators, and for viewers without a team."""
        return self.is_admin or (self.is_viewer and self.team is None)

    @property
    def scope(self) -> tuple[str, str] | None:
        """The label (key, value) of the jobs that the caller sees; None for a caller that sees everything.

        A team's keys share its jobs. A key without a team has its own.
        """
        if self.key_id is None or self.sees_everything:
            return None
        return (TEAM_LABEL, self.team) if self.team else (KEY_LABEL, self.key_id)

    @property
    def record_scope(self) -> tuple[str, str] | None:
        """The field (name, value) of the records that the caller sees; None if it sees everything."""
        if self.key_id is None or self.sees_everything:
            return None
        return ("team", self.team) if self.team else ("key_id", self.key_id)

    @property
    def rate_limits(self) -> list[tuple[str, int]]:
        """The limits (counter, requests per minute) that a request counts against."""
        counters = (f"key:{self.key_id}", f"team:{self.team}")
        return [
            (counter, grant.rpm_limit)
            for counter, grant in zip(counters, self.grants, strict=False)
            if grant.rpm_limit is not None
        ]

    def owns(self, labels: Mapping[str, object]) -> bool:
        """Return True if the caller may see and end a job with these labels."""
        return self.scope is None or labels.get(self.scope[0]) == self.scope[1]


def authenticate_master(secret: str, master_key: str | None) -> Caller | None:
    """Return the caller with the master key if the secret is that; else None."""
    if master_key and hmac.compare_digest(_digest(secret), _digest(master_key)):
        return Caller(api_key=MASTER)
    return None


def missing_key() -> ApiError:
    """Return the error for a request without a key."""
    return ApiError(
        "UNAUTHENTICATED",
        "API_KEY_MISSING",
        "No API key was sent. Send one as 'Authorization: Bearer KEY' or 'x-goog-api-key: KEY'.",
    )


def invalid_key(problem: str, hint: str = "Ask the gateway's administrator for another one.") -> ApiError:
    """Return the error for a key that is not valid.

    Args:
        problem: What is wrong with it, without a full stop.
        hint: A sentence on what to do.

    It is PERMISSION_DENIED, because on a 401 Google's clients try to refresh a static token and hide our
    message behind a RefreshError.
    """
    return ApiError(
        "PERMISSION_DENIED",
        "API_KEY_INVALID",
        f"The API key {problem}. {hint}",
    )


def admin_only(what: str) -> ApiError:
    """Return the error for a call that is not for the caller's role; ``what`` goes on after "Only"."""
    return ApiError(
        "PERMISSION_DENIED", "ADMIN_ONLY", f"Only {what}. Use such a key, or ask an administrator."
    )


def read_only_key() -> ApiError:
    """Return the error for a viewer that tries to change something."""
    return ApiError(
        "PERMISSION_DENIED",
        "READ_ONLY_KEY",
        "This key has the role 'viewer': it may read, and change nothing. Use a key without a role to run "
        "jobs, or an administrator's key to manage keys, teams and prices.",
    )


def job_not_allowed(permission: str, resource: str) -> ApiError:
    """Return the error for a job that does not exist or has another owner: they look alike (AIP-211)."""
    return ApiError(
        "PERMISSION_DENIED",
        "JOB_NOT_ALLOWED",
        f"Permission 'aiplatform.batchPredictionJobs.{permission}' denied on resource "
        f"'//aiplatform.googleapis.com/{resource}' (or it may not exist). An API key sees its team's jobs.",
        metadata={"resource": resource, "permission": f"aiplatform.batchPredictionJobs.{permission}"},
    )


def _digest(key: str) -> bytes:
    """Hash a key, so that comparing takes the same time whatever its length."""
    return hashlib.sha256(key.encode(errors="surrogatepass")).digest()
