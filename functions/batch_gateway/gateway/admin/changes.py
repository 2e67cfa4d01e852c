"""Describe changes of keys and teams for the audit trail: each changed field before and after, no secrets."""

from typing import Any

import msgspec

from batch_gateway.core.access.keys import KeyRecord, TeamRecord
from batch_gateway.core.pricing.money import format_nano
from batch_gateway.gateway.admin.answers import without_path

_LEFT_OUT = frozenset({"token", "key_id", "created_at", "created_by", "updated_at", "last_used_at"})
_HIDDEN = "(hidden)"


def describe_change(
    before: KeyRecord | TeamRecord | None, after: KeyRecord | TeamRecord
) -> dict[str, Any] | None:
    """Return the fields that differ, ``before`` and ``after``; None if none does.

    Amounts are decimal strings of USD. Metadata is JSON text, since Firestore does not support all of JSON.

    Args:
        before: The record before the change; None if there was none: then only fields with a value are named.
        after: The record after the change.
    """
    new = _fields(after)
    old = _fields(before) if before else dict.fromkeys(new)
    changed = [name for name, value in new.items() if value != old[name]]
    if not changed:
        return None
    return {
        "before": {name: _shown(name, old[name]) for name in changed} if before else None,
        "after": {name: _shown(name, new[name]) for name in changed},
    }


def _fields(record: KeyRecord | TeamRecord) -> dict[str, Any]:
    """Return all fields by the names that requests have for them; None where one has no value."""
    fields = msgspec.to_builtins(record)
    grant, budget, labels = fields.pop("grant"), fields.pop("budget"), fields.pop("labels")
    metadata = fields.pop("metadata")
    amounts = {
        name: None if (nano := budget.pop(f"{name}_nano")) is None else format_nano(nano)
        for name in ("max_budget", "soft_budget")
    }
    text = msgspec.json.encode(metadata).decode() if metadata else None
    fields = {**fields, **grant, **amounts, **budget, **labels, "metadata": text}
    # An empty list and false are what a field is without a value.
    return {name: value or None for name, value in fields.items() if name not in _LEFT_OUT}


def _shown(name: str, value: Any) -> Any:
    if name == "webhook_secret":
        return value and _HIDDEN
    return value and without_path(value) if name == "webhook_url" else value
