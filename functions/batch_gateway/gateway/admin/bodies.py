"""Define and check the bodies of the administrator's requests, with LiteLLM's field names.

A field that is left out stays as it is (or gets its default); ``null`` removes it. An unknown field is
rejected: it might be a limit that would not be enforced.
"""

import re
from collections.abc import Sized
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from batch_gateway.core.access.grants import Grant, normalize_uri
from batch_gateway.core.access.keys import Budget
from batch_gateway.core.access.label_policy import MOST_SET, LabelPolicy, check_label, check_name
from batch_gateway.core.accounting.budgets import check_window
from batch_gateway.core.jobs.resource_names import is_location, is_project
from batch_gateway.core.pricing.money import format_nano
from batch_gateway.gateway.http.params import invalid

_NANO_DIGITS = 9
_MAX_METADATA_BYTES = 8 * 1024
_MAX_LIST = 100
_MAX_LISTS_BYTES = 8 * 1024
MOST_OWNERS = 100
"""Most keys or teams on a page of a list: the budget balances of each are read."""
MOST_NAMED = 100
"""Most keys or teams that one request deletes."""
_ALIAS = re.compile(r"[^\x00-\x1f\x7f]{1,128}")
_MAX_RPM = 1_000_000
_MAX_BUDGET_USD = Decimal(10**9)


class OwnerFields(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Fields that keys and teams have in common."""

    models: list[str] | UnsetType | None = UNSET
    projects: list[str] | UnsetType | None = UNSET
    locations: list[str] | UnsetType | None = UNSET
    allowed_uri_prefixes: list[str] | UnsetType | None = UNSET
    rpm_limit: int | UnsetType | None = UNSET
    max_budget: Decimal | UnsetType | None = UNSET
    soft_budget: Decimal | UnsetType | None = UNSET
    budget_duration: str | UnsetType | None = UNSET
    metadata: dict[str, Any] | UnsetType | None = UNSET
    default_labels: dict[str, str] | UnsetType | None = UNSET
    required_labels: list[str] | UnsetType | None = UNSET
    blocked: bool | UnsetType = UNSET


class GenerateKey(OwnerFields):
    """Body of ``POST /key/generate``."""

    key_alias: str | None = None
    team_id: str | None = None
    role: str | None = None
    duration: str | None = None
    webhook_url: str | None = None
    webhook_secret: str | None = None


class UpdateKey(OwnerFields):
    """Body of ``POST /key/update``."""

    key: str
    key_alias: str | UnsetType = UNSET
    team_id: str | UnsetType | None = UNSET
    role: str | UnsetType | None = UNSET
    duration: str | UnsetType | None = UNSET
    webhook_url: str | UnsetType | None = UNSET
    webhook_secret: str | None = None


class RegenerateKey(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST /key/regenerate``. The old secret stays valid for the grace period, if one is given."""

    key: str
    grace_period: str | None = None
    duration: str | UnsetType | None = UNSET


class DeleteKeys(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST /key/delete``."""

    keys: list[str] = []
    key_aliases: list[str] = []


class NewTeam(OwnerFields):
    """Body of ``POST /team/new``."""

    team_id: str | None = None
    team_alias: str | None = None


class UpdateTeam(OwnerFields):
    """Body of ``POST /team/update``."""

    team_id: str
    team_alias: str | UnsetType | None = UNSET


class DeleteTeams(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST /team/delete``."""

    team_ids: list[str]


class Reprice(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST /v1/costs:reprice``. Times are RFC 3339, with a time zone."""

    start_time: Annotated[datetime, msgspec.Meta(tz=True)]
    end_time: Annotated[datetime, msgspec.Meta(tz=True)]
    model: str | None = None
    page: str | None = None
    validate_only: bool = False


def grant_of(fields: OwnerFields, old: Grant) -> Grant:
    """Return the grant after a change.

    Raises:
        ApiError: A value could never match anything or would match too much, or there are too many values.
    """
    grant = Grant(
        models=_list(fields.models, old.models),
        projects=_list(fields.projects, old.projects),
        locations=_list(fields.locations, old.locations),
        allowed_uri_prefixes=_list(fields.allowed_uri_prefixes, old.allowed_uri_prefixes),
        rpm_limit=old.rpm_limit if fields.rpm_limit is UNSET else fields.rpm_limit,
    )
    _check_lists(fields, grant)
    for project in grant.projects:
        if not is_project(project):
            raise invalid(f"projects: {project!r} is not a project id")
    for location in grant.locations:
        if not is_location(location):
            raise invalid(f"locations: {location!r} is not a location")
    for prefix in grant.allowed_uri_prefixes:
        if normalize_uri(prefix) is None or "*" in prefix:
            raise invalid(
                f"allowed_uri_prefixes: {prefix!r} is not of the form gs://BUCKET/PATH or "
                "bq://PROJECT.DATASET, without wildcards"
            )
    if "" in grant.models:
        raise invalid("models: a name must not be empty")
    if grant.rpm_limit is not None and not 1 <= grant.rpm_limit <= _MAX_RPM:
        raise invalid(f"rpm_limit: must be from 1 to {_MAX_RPM}; to disable a key, set blocked")
    return grant


def _check_lists(fields: OwnerFields, grant: Grant) -> None:
    """Reject lists that are too long. Lists that the request does not change may stay as they are.

    Raises:
        ApiError: A list that was given has too many entries, or all lists together have too many bytes.
    """
    lists = ("models", "projects", "locations", "allowed_uri_prefixes")
    for field in lists:
        if getattr(fields, field) is not UNSET:
            check_number(field, getattr(grant, field), _MAX_LIST)
            if sum(len(name.encode()) for each in lists for name in getattr(grant, each)) > _MAX_LISTS_BYTES:
                raise invalid(f"{field}: {', '.join(lists)} must not have more than {_MAX_LISTS_BYTES} bytes")


def budget_of(fields: OwnerFields, old: Budget) -> Budget:
    """Return the budget after a change.

    Raises:
        ApiError: An amount is negative, too large or finer than a nano-dollar, or the duration is invalid.
    """
    duration = old.budget_duration
    if fields.budget_duration is not UNSET:
        duration = fields.budget_duration
        if duration is not None:
            try:
                check_window(duration)
            except ValueError as error:
                raise invalid(f"budget_duration: {error}") from error
    return Budget(
        _nano("max_budget", fields.max_budget, old.max_budget_nano),
        duration,
        _nano("soft_budget", fields.soft_budget, old.soft_budget_nano),
    )


def _nano(field: str, budget: Decimal | UnsetType | None, old: int | None) -> int | None:
    if budget is UNSET:
        return old
    if budget is None:
        return None
    # The digits are checked before any arithmetic, which would round, or take forever with a huge exponent.
    digits, exponent = budget.as_tuple().digits, budget.as_tuple().exponent
    if (
        not isinstance(exponent, int)
        or not -_NANO_DIGITS <= exponent <= _NANO_DIGITS
        or len(digits) > 2 * _NANO_DIGITS
        or not 0 <= budget <= _MAX_BUDGET_USD
    ):
        raise invalid(f"{field}: must be USD from 0 to 1,000,000,000 with at most nine decimals")
    return int(budget.scaleb(_NANO_DIGITS))


def usd(nano: int | None) -> msgspec.Raw | None:
    """Return nano-USD as an exact JSON number of USD."""
    return None if nano is None else msgspec.Raw(format_nano(nano).encode())


def metadata_of(fields: OwnerFields, old: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata after a change.

    Raises:
        ApiError: It is too large, or cannot be written as JSON.
    """
    if fields.metadata is UNSET:
        return old
    metadata = fields.metadata or {}
    try:
        size = len(msgspec.json.encode(metadata))
    except (ValueError, RecursionError, OverflowError) as error:
        raise invalid(f"metadata: {error}") from error
    if size > _MAX_METADATA_BYTES:
        raise invalid(f"metadata: must not be larger than {_MAX_METADATA_BYTES} bytes")
    return metadata


def labels_of(fields: OwnerFields, old: LabelPolicy) -> LabelPolicy:
    """Return the policy on labels after a change.

    Raises:
        ApiError: There are too many labels, or Google would refuse one, or its name is reserved.
    """
    added = old.default_labels if fields.default_labels is UNSET else fields.default_labels or {}
    policy = LabelPolicy(added, _list(fields.required_labels, old.required_labels))
    check_number("default_labels", policy.default_labels, MOST_SET)
    check_number("required_labels", policy.required_labels, MOST_SET)
    field = "default_labels"
    try:
        for name, value in policy.default_labels.items():
            check_label(name, value)
        field = "required_labels"
        for name in policy.required_labels:
            check_name(name)
    except ValueError as error:
        raise invalid(f"{field}: {error}") from error
    return policy


def checked_alias(field: str, alias: str) -> str:
    """Check an alias, and return it.

    Raises:
        ApiError: It is empty or too long, or has control characters.
    """
    if not _ALIAS.fullmatch(alias):
        raise invalid(
            f"{field}: {alias!r} is not a valid alias: use 1 to 128 characters, without control characters"
        )
    return alias


def check_number(field: str, values: Sized, most: int) -> None:
    """Check the length of a list.

    Raises:
        ApiError: It has more than ``most`` entries.
    """
    if len(values) > most:
        raise invalid(f"{field}: must not have more than {most} entries")


def _list(new: list[str] | UnsetType | None, old: tuple[str, ...]) -> tuple[str, ...]:
    return old if new is UNSET else tuple(new or ())
