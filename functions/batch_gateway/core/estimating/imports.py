"""Find rows that fail a whole Gemini job before any row runs.

Vertex AI imports the rows of a Gemini job as BigQuery imports JSON: into a table whose columns it infers from
the rows. Live jobs failed ("Failed to import data.") on records nested too deeply, on field names that
BigQuery does not allow, on empty objects such as ``"google_search": {}``, and on a field that is of one type
in one row and of another in the next (OpenRouter's public notes on Vertex AI batches, 2026-09). Depth and
names: "Specify nested and repeated columns" and "Specifying a schema" of BigQuery's documentation.
"""

import re
from collections.abc import Iterator
from typing import Any

_DEEPEST = 15
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,299}")
_RESERVED = ("_table_", "_file_", "_partition", "_row_timestamp", "__root__", "_colidentifier")
_MOST_FIELDS = 10_000
"""Most columns of a table (BigQuery's quotas), and so the most that has to be remembered."""
_SHOWN = 100


class Columns:
    """The columns that BigQuery infers from rows, which are added in their order."""

    def __init__(self) -> None:
        self._kinds: dict[str, str] = {}

    def problem(self, row: dict[str, Any]) -> str:
        """Return why a row cannot be imported after the rows before it; empty if it can."""
        return next(self._problems(row), "")

    def _problems(self, row: dict[str, Any]) -> Iterator[str]:
        stack: list[tuple[str, Any, int]] = [("", row, 0)]
        while stack:
            path, value, depth = stack.pop()
            if isinstance(value, list):
                stack += [(path, each, depth) for each in reversed(value)]
                continue
            if not isinstance(value, dict):
                continue
            if depth > _DEEPEST:
                yield f"{path[:_SHOWN]} is nested more than {_DEEPEST} objects deep"
                return
            if not value and path:
                yield f"{path[:_SHOWN]} is an empty object"
            for name, member in reversed(value.items()):
                inner = f"{path}.{name}" if path else name
                if not _NAME.fullmatch(name) or name.lower().startswith(_RESERVED):
                    where = path[:_SHOWN] or "the row"
                    yield f"{name[:_SHOWN]!r} in {where} is not a valid BigQuery field name"
                if problem := self._conflict(inner, member):
                    yield problem
                stack.append((inner, member, depth + 1))

    def _conflict(self, path: str, value: Any) -> str:
        kind = _kind(value)
        if not kind:
            return ""
        if path not in self._kinds:
            if len(self._kinds) < _MOST_FIELDS:
                self._kinds[path] = kind
            return ""
        before = self._kinds[path]
        return "" if kind == before else f"{path[:_SHOWN]} is {kind} here and {before} in an earlier row"


def _kind(value: Any) -> str:
    """Return the type that a column would get; empty if the value does not determine it."""
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return next((f"a list with {kind}" for kind in map(_kind, value) if kind), "")
    return ""
