"""Read lines of input with all values of members that an object has twice, in one spelling or in two.

Parsers differ in which of two equal names they use, and Google's JSON accepts ``maxOutputTokens`` as well as
``max_output_tokens``. A bound has to consider all of them.
"""

import json
import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import msgspec

from batch_gateway.core.estimating.needs import snake_case
from batch_gateway.core.json_io import UNREADABLE

MOST_ODD_BYTES = 4 * 1024 * 1024
"""Longest line, in bytes, that is read with the slow parser, which takes several times its size in memory."""
_INTEGER = re.compile(r"-?[0-9]{1,18}")


class UnboundedError(Exception):
    """There is no bound; the message is the reason, without a full stop."""


class _Several(list[Any]):
    """The values of a name that an object has more than once."""


def row_of(line: bytes) -> dict[str, Any]:
    """Read a line of input; ``values`` then finds every value of a name.

    Raises:
        UnboundedError: It is not a JSON object.
    """
    line = line.removeprefix(BOM_UTF8)
    try:
        row = msgspec.json.decode(line)
    except UNREADABLE:
        row = None
    if not isinstance(row, dict) or not _has_all_names(line, row):
        row = _decode_slowly(line)
    if not isinstance(row, dict):
        raise UnboundedError("it is not a JSON object")
    return row


def values(parent: Any, name: str) -> list[Any]:
    """Return all values of a member: in either spelling, and from each time that it occurs."""
    if not isinstance(parent, dict):
        return []
    found: list[Any] = []
    for spelling in _spellings(name):
        if spelling in parent:
            value = parent[spelling]
            found += value if isinstance(value, _Several) else [value]
    return found


def objects_with(row: Any, names: frozenset[str]) -> Iterator[dict[str, Any]]:
    """Yield every object in a row, however deep, that has one of these names."""
    stack = [row]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            if not names.isdisjoint(node):
                yield node
            stack += [value for value in node.values() if isinstance(value, dict | list)]
        else:
            stack += [value for value in node if isinstance(value, dict | list)]


def largest(parents: Iterable[Any], name: str) -> int | None:
    """Return the largest number of a member over all parents; None if one of them may have no number.

    Google's JSON accepts numbers as strings too. 0 and null count as no number.
    """
    found = [integer(value, name) for parent in parents for value in values(parent, name) or [None]]
    return None if not found or any(each <= 0 for each in found) else max(found)


def integer(value: Any, name: str) -> int:
    """Return a whole number; 0 for null.

    Raises:
        UnboundedError: It is something else, and its meaning is unknown.
    """
    if value is None:
        return 0
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, str) and _INTEGER.fullmatch(value)
    ):
        return int(value)
    raise UnboundedError(f"its {name} is not a whole number")


@cache
def _spellings(name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((name, snake_case(name))))


def _has_all_names(line: bytes, row: Any) -> bool:
    """Return True if parsing dropped no names of a line: a parser keeps one of equal names.

    The quotation marks of a line are those around names and texts, and escaped ones within them. A name that
    was dropped had two more. Marks that are escaped by their number could make up for those, so the answer
    for such lines is False.
    """
    has_escapes = b"\\" in line
    if has_escapes and b"\\u0022" in line:
        return False
    return line.count(b'"') == _quotation_marks(row, has_escapes=has_escapes)


def _quotation_marks(row: Any, *, has_escapes: bool) -> int:
    marks = 0
    stack = [row]
    while stack:
        node = stack.pop()
        marks += 2 * len(node) if isinstance(node, dict) else 0
        if has_escapes and isinstance(node, dict):
            marks += sum(name.count('"') for name in node)
        for child in node.values() if isinstance(node, dict) else node:
            if isinstance(child, str):
                marks += 2 + (child.count('"') if has_escapes else 0)
            elif isinstance(child, dict | list):
                stack.append(child)
    return marks


def _decode_slowly(line: bytes) -> Any:
    if len(line) > MOST_ODD_BYTES:
        raise UnboundedError(
            f"it is longer than {MOST_ODD_BYTES} bytes and has duplicate names or unusual JSON"
        )
    try:
        return json.loads(line.decode(), object_pairs_hook=_with_all_values)
    except (ValueError, RecursionError) as error:
        raise UnboundedError("it is not a JSON object") from error


def _with_all_values(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        before = members.get(name)
        if name not in members:
            members[name] = value
        elif isinstance(before, _Several):
            before.append(value)
        else:
            members[name] = _Several([before, value])
    return members
