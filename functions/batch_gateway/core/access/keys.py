"""API keys and teams, with LiteLLM's field names."""

import hashlib
import re
import secrets
from datetime import datetime
from typing import Any, Literal

import msgspec

from batch_gateway.core.access.label_policy import LabelPolicy
from batch_gateway.core.access.limits import Budget, Grant
from batch_gateway.core.accounting.budgets import OwnedBudget

TEAM_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
"""Form of a team's id, which becomes the value of a Vertex AI label: lower case, at most 63 characters."""
_PREFIX = "sk-"
_SHOWN = 4


Role = Literal["admin", "viewer"]
"""``admin``: may do all that the master key may, except run the sweep. ``viewer``: may only read."""


class TeamRecord(msgspec.Struct, frozen=True):
    """A team.

    Attributes:
        team_id: Id; also the value of the label that its jobs carry.
        team_alias: A name for people.
        blocked: True if its keys are refused.
        labels: What it wants of the labels of its jobs.
    """

    team_id: str
    created_at: datetime
    updated_at: datetime
    team_alias: str | None = None
    grant: Grant = Grant()
    budget: Budget = Budget()
    metadata: dict[str, Any] = {}
    blocked: bool = False
    labels: LabelPolicy = LabelPolicy()


class KeyRecord(msgspec.Struct, frozen=True):
    """An API key, without its secret.

    Attributes:
        token: SHA-256 of the secret, in hex, by which the key is looked up.
        key_id: Stays the same when the secret is rotated; the value of the label that the jobs of a
            key without a team carry.
        key_name: The part of the secret that people may see: ``sk-...a1b2``.
        key_alias: Its name in cost reports.
        team_id: Its team, if any. An administrator's key has none.
        role: None for a key that runs jobs.
        expires: When it expires; None for never.
        blocked: True if it is refused.
        created_by: Alias of the key that made it.
        webhook_url: Destination of its events; None for no webhook.
        webhook_secret: Secret that signs them.
        labels: What it wants of the labels of its jobs.
        last_used_at: Hour of its last request, at its beginning; None for never.
    """

    token: str
    key_id: str
    key_name: str
    key_alias: str
    created_at: datetime
    updated_at: datetime
    created_by: str
    team_id: str | None = None
    role: Role | None = None
    grant: Grant = Grant()
    budget: Budget = Budget()
    metadata: dict[str, Any] = {}
    expires: datetime | None = None
    blocked: bool = False
    webhook_url: str | None = None
    webhook_secret: str | None = None
    labels: LabelPolicy = LabelPolicy()
    last_used_at: datetime | None = None


def budget_of_team(team: TeamRecord) -> OwnedBudget | None:
    """Return a team's budget; None if it has none."""
    return _owned_budget(f"team:{team.team_id}", f"the team {team.team_id!r}", team.budget)


def budget_of_key(key: KeyRecord) -> OwnedBudget | None:
    """Return a key's budget; None if it has none."""
    return _owned_budget(f"key:{key.key_id}", f"the key {key.key_alias!r}", key.budget)


def _owned_budget(owner: str, name: str, budget: Budget) -> OwnedBudget | None:
    if budget.max_budget_nano is None and budget.soft_budget_nano is None:
        return None
    return OwnedBudget(owner, name, budget.max_budget_nano, budget.soft_budget_nano, budget.budget_duration)


def new_secret() -> str:
    """Make a key's secret of 256 random bits."""
    return _PREFIX + secrets.token_urlsafe(32)


def token_of(secret: str) -> str:
    """Hash a secret for storage and look-up. It is random, so a plain hash cannot be reversed by guessing."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def name_of(secret: str) -> str:
    """Return the part of a secret that may be shown."""
    return f"{_PREFIX}...{secret[-_SHOWN:]}"
