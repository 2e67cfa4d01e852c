"""JSON that others wrote."""

from typing import Any

import msgspec

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding may raise: no JSON or not of the asked form, no UTF-8, nested beyond reason."""


def read_object(raw: bytes) -> dict[str, Any] | None:
    """A JSON object; None if it is none."""
    try:
        value = msgspec.json.decode(raw)
    except UNREADABLE:
        return None
    return value if isinstance(value, dict) else None
