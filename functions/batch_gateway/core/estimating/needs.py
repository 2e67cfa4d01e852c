"""What one input row will use, as far as the row itself tells."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from batch_gateway.core.estimating.families import Family, Version
from batch_gateway.core.estimating.ranges import NOTHING, Range

SizeOf = Callable[[str], int | None]
"""The size in bytes of the object that a URI names; None if it is not known."""


class TargetModel(NamedTuple):
    """Which model is asked.

    Attributes:
        family: Of the model.
        version: Of a Gemini model.
        by_character: Whether its input is charged by the character.
        size_of: For the files that rows name.
    """

    family: Family
    version: Version
    by_character: bool
    size_of: SizeOf


class Needs(NamedTuple):
    """What a row will use.

    Attributes:
        input: Units by item, e.g. ``input_text``.
        limit: Tokens of an answer, thoughts included, that the row allows; None if it sets no limit.
        answers: How many answers it asks for.
        thinking: Tokens that it allows for thoughts; None if it does not say.
        unbounded: Why its high is not known; empty if it is.
        searches: Whether it may search, which has fees of its own.
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
    """Of a row that asks for nothing."""
    return Needs({}, answers=0, refused=reason)


def either(parent: Any, name: str) -> Any:
    """A member in either spelling, ``maxOutputTokens`` or ``max_output_tokens``; None if there is none."""
    if not isinstance(parent, dict):
        return None
    value = parent.get(name)
    return parent.get(snake_case(name)) if value is None else value


@cache
def snake_case(name: str) -> str:
    """The spelling ``max_output_tokens`` of ``maxOutputTokens``."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


def number(value: Any) -> int | None:
    """A whole number from 0 on, which JSON of Google's may hold as a string; None if it is none."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:  # noqa: PLR2004 - int32
        return int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; one that stands alone is a list of one, as Google's examples have it."""
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, dict)]


def as_text(value: Any) -> str:
    """JSON that a model is given as it is."""
    return json.dumps(value, ensure_ascii=False)


def add(items: dict[str, Range], item: str, units: Range) -> None:
    """Adds to an item."""
    items[item] = items.get(item, NOTHING).plus(units)
