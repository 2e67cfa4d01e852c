"""The estimated usage of an input row, as far as the row itself determines it."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from batch_gateway.core.estimating.model_limits import Family, Version
from batch_gateway.core.estimating.ranges import NOTHING, Range

SizeOf = Callable[[str], int | None]
"""Function from a URI to the size of its object in bytes; None if unknown."""


class TargetModel(NamedTuple):
    """The model that rows are for.

    Attributes:
        family: Family of the model.
        version: Version of a Gemini model.
        by_character: Whether its input is charged by the character.
        size_of: Look-up of the sizes of files that rows name.
    """

    family: Family
    version: Version
    by_character: bool
    size_of: SizeOf


class Needs(NamedTuple):
    """The estimated usage of a row.

    Attributes:
        input: Units by item, e.g. ``input_text``.
        limit: Most tokens of an answer, including thoughts, that the row allows; None if it sets no limit.
        answers: Number of answers that it asks for.
        thinking: Most tokens of thoughts that it allows; None if it does not say.
        unbounded: Why its high is unknown; empty if it is known.
        searches: Whether it may search, for which there are extra fees.
        refused: Why the model will refuse it, so that it fails and costs nothing; empty if it will not.
    """

    input: dict[str, Range]
    limit: int | None = None
    answers: int = 1
    thinking: int | None = None
    unbounded: str = ""
    searches: bool = False
    refused: str = ""


def refused(reason: str) -> Needs:
    """Return the needs of a row that the model will refuse."""
    return Needs({}, answers=0, refused=reason)


def either(parent: Any, name: str) -> Any:
    """Return a member in either spelling, ``maxOutputTokens`` or ``max_output_tokens``; None if absent."""
    if not isinstance(parent, dict):
        return None
    value = parent.get(name)
    return parent.get(snake_case(name)) if value is None else value


@cache
def snake_case(name: str) -> str:
    """Return a name such as ``maxOutputTokens`` as ``max_output_tokens``."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


def number(value: Any) -> int | None:
    """Return a whole number of 0 or more, which Google's JSON may have as a string; None if it is not one."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:  # noqa: PLR2004 - int32
        return int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list; a lone object counts as a list of one, as in Google's examples."""
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, dict)]


def as_text(value: Any) -> str:
    """Encode JSON that a model reads as text."""
    return json.dumps(value, ensure_ascii=False)


def add(items: dict[str, Range], item: str, units: Range) -> None:
    """Add units to an item."""
    items[item] = items.get(item, NOTHING).plus(units)
