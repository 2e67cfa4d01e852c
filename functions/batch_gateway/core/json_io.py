"""Decode JSON that others wrote."""

from typing import Any

import msgspec

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""Exceptions of decoding: not JSON, not of the requested form, not UTF-8, or nested too deeply."""


_NULL = msgspec.Raw(b"null")


def is_given(member: msgspec.Raw) -> bool:
    """Return True if an object has a member that is not null."""
    return bool(member) and member != _NULL


def is_object(member: msgspec.Raw) -> bool:
    """Return True if an object has a member that is an object."""
    return bytes(memoryview(member)[:1]) == b"{"


def decode_member(member: msgspec.Raw) -> Any:
    """Return a member's value; None if the object does not have it."""
    return msgspec.json.decode(member) if member else None


def decode_object(raw: bytes) -> dict[str, Any] | None:
    """Decode a JSON object; return None if it is not one."""
    try:
        value = msgspec.json.decode(raw)
    except UNREADABLE:
        return None
    return value if isinstance(value, dict) else None
