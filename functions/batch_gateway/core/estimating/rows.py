"""Read a line of input: its estimated usage, or why it will fail."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from batch_gateway.core.estimating import gemini, messages
from batch_gateway.core.estimating.imports import Columns
from batch_gateway.core.estimating.model_limits import Family
from batch_gateway.core.estimating.needs import Needs, TargetModel, refused
from batch_gateway.core.json_io import UNREADABLE

_IMPORTED = frozenset({Family.GEMINI, Family.GEMINI_EMBEDDING})
_REQUESTS: dict[Family, tuple[str, Callable[[dict[str, Any], TargetModel], Needs]]] = {
    Family.GEMINI: ("request", gemini.generate),
    Family.GEMINI_EMBEDDING: ("request", gemini.embed),
    Family.CLAUDE: ("request", lambda request, _: messages.claude(request)),
    Family.OPEN_CHAT: ("body", lambda request, _: messages.open_chat(request)),
    Family.OPEN_EMBEDDING: ("body", lambda request, _: messages.open_embedding(request)),
}
"""The member of a row that contains a family's request, and its reader."""
_ADDED = frozenset({"status", "response"})
"""Members that Vertex AI adds to every row of Gemini's output, and whose values may be of any form."""
_WHOLE_JOB = "; the whole job would fail to import"


class Row(NamedTuple):
    """The estimate of a line.

    Attributes:
        needs: Its usage; None if unknown.
        problem: Why it, or the whole job, will fail; empty if it will not.
        free: It probably costs nothing: it will be refused, or an earlier job answered it.
        fatal: The problem fails the whole job before any row runs.
    """

    needs: Needs | None
    problem: str = ""
    free: bool = False
    fatal: bool = False


def read(line: bytes, asked: TargetModel, columns: Columns) -> Row:
    """Read a line.

    Args:
        line: Line of the input, not blank.
        asked: The model.
        columns: Columns of the lines before.
    """
    row = _object(line)
    if row is None:
        fatal = asked.family is not Family.CUSTOM
        return Row(None, f"is not a JSON object{_WHOLE_JOB if fatal else ''}", fatal=fatal)
    problem = ""
    if asked.family in _IMPORTED and (found := columns.problem(_own_members(row))):
        problem = found + _WHOLE_JOB
    needs = _needs(row, asked)
    if needs is None:
        return Row(None, problem, fatal=bool(problem))
    carried = row.get("status") == "" and bool(row.get("response")) and "processed_time" in row
    return Row(needs, problem or needs.refused, carried or bool(needs.refused), fatal=bool(problem))


def _own_members(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row without what Vertex AI added, whose output is the input of a job that resumes another.

    It takes back what it wrote, such as the ``"response": {}`` of a row that failed or was not run.
    """
    if not row.keys() >= _ADDED:
        return row
    return {name: value for name, value in row.items() if name not in _ADDED}


def _needs(row: dict[str, Any], asked: TargetModel) -> Needs | None:
    if asked.family is Family.CUSTOM:
        return None
    if asked.family is Family.LEGACY_EMBEDDING:
        return messages.text_embedding(row, asked)
    name, needs_of = _REQUESTS[asked.family]
    request = row.get(name)
    return (
        needs_of(request, asked)
        if isinstance(request, dict)
        else refused(f"{name} is missing or not an object")
    )


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = msgspec.json.decode(line)
    except UNREADABLE:
        try:
            # Not every importer refuses NaN and half a surrogate pair, as msgspec does.
            value = json.loads(line)
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, dict) else None
