"""Check the fields of the administrator's requests, and return what a key or team has after a change."""

from collections.abc import Sequence, Sized
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from batch_gateway.core.access.grants import normalize_uri
from batch_gateway.core.access.label_policy import MOST_SET, LabelPolicy, check_label, check_name
from batch_gateway.core.access.limits import Budget, Grant
from batch_gateway.core.accounting.budgets import check_window
from batch_gateway.core.jobs.resource_names import is_location, is_project
from batch_gateway.core.pricing.money import format_nano
from batch_gateway.gateway.admin.bodies import ALIAS, MOST_RPM, MOST_USD, OwnerFields
from batch_gateway.gateway.http.params import invalid

_NANO_DIGITS = 9
_MAX_METADATA_BYTES = 8 * 1024
_MAX_LIST = 100
_MAX_LISTS_BYTES = 8 * 1024


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
    if grant.rpm_limit is not None and not 1 <= grant.rpm_limit <= MOST_RPM:
        raise invalid(f"rpm_limit: must be from 1 to {MOST_RPM}; to disable a key, set blocked")
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
        or not 0 <= budget <= MOST_USD
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
        ApiError: It is empty or too long, has control characters, or begins or ends with white space.
    """
    if not ALIAS.fullmatch(alias):
        raise invalid(
            f"{field}: {alias!r} is not a valid alias: use 1 to 128 characters, without control characters, "
            "and without spaces at its ends"
        )
    return alias


def check_number(field: str, values: Sized, most: int) -> None:
    """Check the length of a list.

    Raises:
        ApiError: It has more than ``most`` entries.
    """
    if len(values) > most:
        raise invalid(f"{field}: must not have more than {most} entries")


def _list(new: Sequence[str] | UnsetType | None, old: tuple[str, ...]) -> tuple[str, ...]:
    return old if new is UNSET else tuple(new or ())
