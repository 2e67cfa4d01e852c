"""JSON that others wrote."""

from typing import Any

import msgspec

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding may raise: no JSON or not of the asked form, no UTF-8, nested beyond reason."""


_NULL = msgspec.Raw(b"null")


def is_given(member: msgspec.Raw) -> bool:
    """Return whether an object has a member, and it is not null."""
    return bool(member) and member != _NULL


def is_object(member: msgspec.Raw) -> bool:
    """Return whether an object has a member, and it is an object too."""
    return bytes(memoryview(member)[:1]) == b"{"


def loaded(member: msgspec.Raw) -> Any:
    """Return a member's value; None if the object does not have it."""
    return msgspec.json.decode(member) if member else None


def read_object(raw: bytes) -> dict[str, Any] | None:
    """A JSON object; None if it is none."""
    try:
        value = msgspec.json.decode(raw)
    except UNREADABLE:
        return None
    return value if isinstance(value, dict) else None
