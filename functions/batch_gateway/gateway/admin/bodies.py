"""Define the bodies of the administrator's requests, with LiteLLM's field names.

A field that is left out stays as it is (or gets its default); ``null`` removes it. An unknown field is
rejected: it might be a limit that would not be enforced. The docstrings describe the fields to callers, too:
``/openapi.json`` is made from them (infra/local/api_schemas.py), and from the rules that are stated here but
checked where a field is used, with a message that says more.
"""

import re
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from batch_gateway.core.access.keys import TEAM_ID, Role
from batch_gateway.core.access.label_policy import MOST_CHARACTERS, MOST_SET
from batch_gateway.core.accounting.durations import DURATION

MOST_OWNERS = 100
"""Most keys or teams on a page of a list: the budget balances of each are read."""
MOST_NAMED = 100
"""Most keys or teams that one request deletes."""
MOST_RPM = 1_000_000
MOST_USD = 10**9
ALIAS = re.compile(r"[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]{0,126}[^\s\x00-\x1f\x7f])?")
"""Without white space at the ends: nobody would see it in a report, nor that two aliases differ by it."""
ROLES: dict[str, Role] = {
    "admin": "admin",
    "viewer": "viewer",
    "proxy_admin": "admin",
    "proxy_admin_viewer": "viewer",
    "internal_user_viewer": "viewer",
}
"""Roles by name: ours, and LiteLLM's (https://docs.litellm.ai/docs/proxy/access_control)."""


def _rule(**schema: Any) -> Meta:
    """State a rule that is checked elsewhere."""
    return Meta(extra_json_schema=schema)


def _form(pattern: re.Pattern[str]) -> Meta:
    """State the form of a whole text."""
    return _rule(pattern=f"^{pattern.pattern}$")


TeamId = Annotated[str, _form(TEAM_ID)]
Duration = Annotated[
    str,
    _form(DURATION),
    Meta(description="A number and `s`, `m`, `h`, `d`, `w` or `mo`.", examples=["30d"]),
]
DefaultLabels = Annotated[
    dict[Annotated[str, _rule(maxLength=MOST_CHARACTERS)], Annotated[str, _rule(maxLength=MOST_CHARACTERS)]],
    _rule(maxProperties=MOST_SET),
    Meta(
        description="Labels that its jobs get where the create has none of the name. The key's go before the "
        "team's.",
        examples=[{"cost-center": "42"}],
    ),
]
RequiredLabels = Annotated[
    tuple[Annotated[str, _rule(minLength=1, maxLength=MOST_CHARACTERS)], ...],
    _rule(maxItems=MOST_SET),
    Meta(
        description="Names of labels without which a create is rejected; the team's and the key's add up.",
        examples=[["campaign"]],
    ),
]
BudgetUsd = Annotated[
    Decimal,
    _rule(minimum=0, maximum=MOST_USD, pattern=r"^[0-9]{1,9}(\.[0-9]{1,9})?$"),
    Meta(description="USD, as a number or a decimal string, with at most nine decimals."),
]
_Names = list[Annotated[str, _rule(minLength=1)]]
_Key = Annotated[str, _rule(minLength=1), Meta(description="The secret (`sk-…`) or the token.")]
_Alias = Annotated[str, _form(ALIAS)]
_TeamAlias = Annotated[_Alias | None, Meta(description="A name for people.")]
_Role = Annotated[
    Annotated[str, _rule(enum=list(ROLES))] | None,
    Meta(
        description="`admin`, `viewer`, or LiteLLM's `proxy_admin`, `proxy_admin_viewer` (without a team) or "
        "`internal_user_viewer` (with one). null: a key that runs jobs. Administrators have neither a team "
        "nor limits, viewers no limit but `rpm_limit`."
    ),
]
_WebhookUrl = Annotated[
    str | None,
    Meta(
        description="URL for events of the key's jobs and budget, in the form of Standard Webhooks: https, a "
        "public name, port 443 or 1024 and above. null: none."
    ),
]
_WebhookSecret = Annotated[
    str | None,
    Meta(
        description="Secret for their signatures: `whsec_` and 24 to 64 bytes in base64. Default: generated, "
        "and shown once."
    ),
]


class OwnerFields(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Fields that keys and teams have in common.

    Attributes:
        models: Models that may be used, as callers write them or by short name; ``*`` is a wildcard:
            ``gemini-3.5-*``. Empty or null: all.
        projects: Ids of projects that may be used. Empty or null: all that are served.
        locations: Locations that may be used. Empty or null: all that are served.
        allowed_uri_prefixes: ``gs://BUCKET/PATH`` and ``bq://PROJECT.DATASET`` that jobs may read and write.
            Empty or null: all.
        rpm_limit: Requests a minute. null: no limit.
        max_budget: The limit on spend. null: no budget.
        soft_budget: Amount above which there are warnings, and nothing else. null: none.
        budget_duration: The budget's window. null: it never resets.
        metadata: Any JSON object to keep with it. null: none.
        blocked: Reject its requests.
    """

    models: _Names | UnsetType | None = UNSET
    projects: list[str] | UnsetType | None = UNSET
    locations: list[str] | UnsetType | None = UNSET
    allowed_uri_prefixes: list[str] | UnsetType | None = UNSET
    rpm_limit: Annotated[int, _rule(minimum=1, maximum=MOST_RPM)] | UnsetType | None = UNSET
    max_budget: BudgetUsd | UnsetType | None = UNSET
    soft_budget: BudgetUsd | UnsetType | None = UNSET
    budget_duration: Duration | UnsetType | None = UNSET
    metadata: dict[str, Any] | UnsetType | None = UNSET
    default_labels: DefaultLabels | UnsetType | None = UNSET
    required_labels: RequiredLabels | UnsetType | None = UNSET
    blocked: bool | UnsetType = UNSET


class GenerateKey(OwnerFields):
    """Body of ``POST /key/generate``. The team's limits apply to the key as well.

    Attributes:
        key_alias: Unique name, used in costs. Default: generated.
        team_id: Id of its team, which must exist.
        duration: Time until it expires. Default: never.
    """

    key_alias: _Alias | None = None
    team_id: TeamId | None = None
    role: _Role = None
    duration: Duration | None = None
    webhook_url: _WebhookUrl = None
    webhook_secret: _WebhookSecret = None


class UpdateKey(OwnerFields):
    """Body of ``POST /key/update``. Absent fields stay unchanged; null removes a limit.

    Attributes:
        key_alias: A new name in costs.
        team_id: Another team. null: none.
        duration: Time until it expires, from now. null: never.
    """

    key: _Key
    key_alias: _Alias | UnsetType = UNSET
    team_id: TeamId | UnsetType | None = UNSET
    role: _Role | UnsetType = UNSET
    duration: Duration | UnsetType | None = UNSET
    webhook_url: _WebhookUrl | UnsetType = UNSET
    webhook_secret: _WebhookSecret = None


class RegenerateKey(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST /key/regenerate``.

    Attributes:
        grace_period: Time for which the old secret stays valid. Default: it ends at once.
        duration: Time until the new secret expires. Default: as before; null: never.
    """

    key: _Key
    grace_period: Duration | None = None
    duration: Duration | UnsetType | None = UNSET


class DeleteKeys(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST /key/delete``. Name at least one key.

    Attributes:
        key_aliases: Aliases of keys, of which all secrets are deleted.
    """

    keys: Annotated[list[_Key], _rule(maxItems=MOST_NAMED)] = []
    key_aliases: Annotated[list[_Alias], _rule(maxItems=MOST_NAMED)] = []


class NewTeam(OwnerFields):
    """Body of ``POST /team/new``.

    Attributes:
        team_id: Id of the team, which no other may have had, not even a deleted one. Default: generated.
    """

    team_id: TeamId | None = None
    team_alias: _TeamAlias = None


class UpdateTeam(OwnerFields):
    """Body of ``POST /team/update``. Absent fields stay unchanged; null removes a limit."""

    team_id: TeamId
    team_alias: _TeamAlias | UnsetType = UNSET


class DeleteTeams(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST /team/delete``. The teams must not have keys."""

    team_ids: Annotated[list[TeamId], _rule(maxItems=MOST_NAMED)]
