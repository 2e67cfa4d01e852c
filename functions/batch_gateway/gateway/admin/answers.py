"""Define the answers about keys and teams, and make them from records."""

from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET, Meta, UnsetType

from batch_gateway.core.access.keys import KeyRecord, Role, TeamRecord
from batch_gateway.core.answers import Count, Time
from batch_gateway.gateway.admin import field_checks
from batch_gateway.gateway.admin.bodies import DefaultLabels, Duration, RequiredLabels, TeamId

Token = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]

# Members that keys and teams have in common. Amounts are raw JSON: exact numbers.
_Models = Annotated[tuple[str, ...], Meta(description="Models that may be used. Empty: all.")]
_Projects = Annotated[
    tuple[str, ...], Meta(description="Projects that may be used. Empty: all that are served.")
]
_Locations = Annotated[
    tuple[str, ...], Meta(description="Locations that may be used. Empty: all that are served.")
]
_Prefixes = Annotated[
    tuple[str, ...], Meta(description="URI prefixes that jobs may read and write. Empty: all.")
]
_Rate = Annotated[Annotated[int, Meta(ge=1)] | None, Meta(description="Requests a minute.")]
_MAYBE_USD = {"type": ["number", "null"], "minimum": 0}
_MaxBudget = Annotated[Any, Meta(description="Exact amount in USD.", extra_json_schema=_MAYBE_USD)]
_SoftBudget = Annotated[
    Any,
    Meta(description="Amount in USD above which there are warnings.", extra_json_schema=_MAYBE_USD),
]
_Window = Annotated[Duration | None, Meta(description="The budget's window.")]
_USD = {"type": "number"}
_Spend = Annotated[
    Any, Meta(description="USD spent in the current window. In info and list.", extra_json_schema=_USD)
]
_Reserved = Annotated[
    Any,
    Meta(
        description="USD reserved for running jobs, at their high estimate. In info and list.",
        extra_json_schema=_USD,
    ),
]
_Reset = Annotated[
    Time | None,
    Meta(description="Time when the next window begins; null: never. In info and list."),
]


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A key without its secret.

    Attributes:
        token: Identifies the key: SHA-256 of the secret, in hex.
        key_name: Part of the secret that may be shown.
        key_alias: Name in costs and in the audit trail.
        team_id: Its team.
        role: ``admin``: may do all that the master key may, except run the sweep. ``viewer``: may only read;
            with a team, what is the team's. null: runs jobs.
        expires: Time when it expires. null: never.
        webhook_url: URL for its events.
        created_by: Alias of the key that made it.
        last_used_at: Hour of the last request, at its beginning. null: not used yet.
        webhook_secret: Only in the answer that sets it.
    """

    token: Token
    key_name: str
    key_alias: str
    team_id: str | None
    role: Role | None
    models: _Models
    projects: _Projects
    locations: _Locations
    allowed_uri_prefixes: _Prefixes
    rpm_limit: _Rate
    max_budget: _MaxBudget
    soft_budget: _SoftBudget
    budget_duration: _Window
    metadata: dict[str, Any]
    default_labels: DefaultLabels
    required_labels: RequiredLabels
    expires: Time | None
    blocked: bool
    webhook_url: str | None
    created_at: Time
    created_by: str
    updated_at: Time
    last_used_at: Time | None
    webhook_secret: str | UnsetType = UNSET
    spend: _Spend | UnsetType = UNSET
    reserved: _Reserved | UnsetType = UNSET
    budget_reset_at: _Reset | UnsetType = UNSET


class GeneratedKey(Key, frozen=True, kw_only=True):
    """A key with its secret.

    Attributes:
        key: The secret, shown in this answer only.
    """

    key: Annotated[str, Meta(pattern="^sk-")]


class Team(msgspec.Struct, frozen=True, kw_only=True):
    """A team.

    Attributes:
        team_id: Id, also the value of the label ``team`` on its jobs.
        team_alias: A name for people.
        blocked: Requests with its keys are rejected.
    """

    team_id: TeamId
    team_alias: str | None
    models: _Models
    projects: _Projects
    locations: _Locations
    allowed_uri_prefixes: _Prefixes
    rpm_limit: _Rate
    max_budget: _MaxBudget
    soft_budget: _SoftBudget
    budget_duration: _Window
    metadata: dict[str, Any]
    default_labels: DefaultLabels
    required_labels: RequiredLabels
    blocked: bool
    created_at: Time
    updated_at: Time
    spend: _Spend | UnsetType = UNSET
    reserved: _Reserved | UnsetType = UNSET
    budget_reset_at: _Reset | UnsetType = UNSET


TeamList = Annotated[list[Team], Meta(description="By id.")]


class KeyInfo(msgspec.Struct, frozen=True):
    """A key and its team.

    Attributes:
        team: Its team, whose limits and budget apply as well; null: none.
    """

    key: Token
    info: Key
    team: Team | None


class KeyPage(msgspec.Struct, frozen=True):
    """A page of keys.

    Attributes:
        keys: By alias.
    """

    keys: list[Key]
    total_count: Count
    current_page: Annotated[int, Meta(ge=1)]
    total_pages: Count


class DeletedKeys(msgspec.Struct, frozen=True):
    """Tokens of the keys that were deleted."""

    deleted_keys: list[Token]


class TeamInfo(msgspec.Struct, frozen=True):
    """A team and its keys."""

    team_id: str
    team_info: Team
    keys: list[Key]


class DeletedTeams(msgspec.Struct, frozen=True):
    """Ids of the teams that were deleted."""

    deleted_teams: list[str]


def key_view(key: KeyRecord, *, to_viewer: bool = False) -> Key:
    """Return a key for an answer: everything but its secret, which is not stored.

    Args:
        key: The key.
        to_viewer: True to leave out the path of its webhook, which may be a secret.
    """
    url = key.webhook_url
    return Key(
        token=key.token,
        key_name=key.key_name,
        key_alias=key.key_alias,
        team_id=key.team_id,
        role=key.role,
        expires=key.expires,
        webhook_url=without_path(url) if url and to_viewer else url,
        created_by=key.created_by,
        last_used_at=key.last_used_at,
        **_of_any_owner(key),
    )


def without_path(url: str) -> str:
    """Return a webhook's URL without its path and query: many services have a secret there."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/..."


def team_view(team: TeamRecord) -> Team:
    """Return a team for an answer."""
    return Team(
        team_id=team.team_id,
        team_alias=team.team_alias,
        **_of_any_owner(team),
    )


def _of_any_owner(owner: KeyRecord | TeamRecord) -> dict[str, Any]:
    return {
        "models": owner.grant.models,
        "projects": owner.grant.projects,
        "locations": owner.grant.locations,
        "allowed_uri_prefixes": owner.grant.allowed_uri_prefixes,
        "rpm_limit": owner.grant.rpm_limit,
        "max_budget": field_checks.usd(owner.budget.max_budget_nano),
        "soft_budget": field_checks.usd(owner.budget.soft_budget_nano),
        "budget_duration": owner.budget.budget_duration,
        "metadata": owner.metadata,
        "default_labels": owner.labels.default_labels,
        "required_labels": owner.labels.required_labels,
        "blocked": owner.blocked,
        "created_at": owner.created_at,
        "updated_at": owner.updated_at,
    }
