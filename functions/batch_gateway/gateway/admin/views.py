"""Format keys and teams for answers."""

from typing import Any
from urllib.parse import urlsplit

import msgspec

from batch_gateway.core.access.keys import Budget, KeyRecord, TeamRecord
from batch_gateway.gateway.admin import bodies


def key_view(key: KeyRecord, *, to_viewer: bool = False) -> dict[str, Any]:
    """Return a key for an answer: everything but its secret, which is not stored.

    Args:
        key: The key.
        to_viewer: True to leave out the path of its webhook, which may be a secret.
    """
    url = key.webhook_url
    return {
        "token": key.token,
        "key_name": key.key_name,
        "key_alias": key.key_alias,
        "team_id": key.team_id,
        "role": key.role,
        **msgspec.to_builtins(key.grant),
        **_budget_view(key.budget),
        **msgspec.to_builtins(key.labels),
        "metadata": key.metadata,
        "expires": key.expires,
        "blocked": key.blocked,
        "webhook_url": without_path(url) if url and to_viewer else url,
        "created_at": key.created_at,
        "created_by": key.created_by,
        "updated_at": key.updated_at,
        "last_used_at": key.last_used_at,
    }


def without_path(url: str) -> str:
    """Return a webhook's URL without its path and query: many services have a secret there."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/..."


def team_view(team: TeamRecord) -> dict[str, Any]:
    """Return a team for an answer."""
    return {
        "team_id": team.team_id,
        "team_alias": team.team_alias,
        **msgspec.to_builtins(team.grant),
        **_budget_view(team.budget),
        **msgspec.to_builtins(team.labels),
        "metadata": team.metadata,
        "blocked": team.blocked,
        "created_at": team.created_at,
        "updated_at": team.updated_at,
    }


def _budget_view(budget: Budget) -> dict[str, Any]:
    """Return a budget for an answer, with exact JSON numbers of USD."""
    return {
        "max_budget": bodies.usd(budget.max_budget_nano),
        "soft_budget": bodies.usd(budget.soft_budget_nano),
        "budget_duration": budget.budget_duration,
    }
