"""The part of BigQuery that jobs need: reading rows from a table, and writing rows to one.

By default tables are lists in memory; tests may plug in callables that reach a real SQL engine.
"""

import threading
from collections.abc import Callable, Iterable
from typing import Any

Row = dict[str, Any]
Source = Callable[[str], Iterable[Row] | None]
Sink = Callable[[str, list[Row]], None]


class MemoryTables:
    """Tables by their URI, `bq://project.dataset.table`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tables: dict[str, list[Row]] = {}

    def read(self, uri: str) -> list[Row] | None:
        """Return a table's rows, or None if it does not exist."""
        with self._lock:
            rows = self._tables.get(uri)
            return None if rows is None else list(rows)

    def append(self, uri: str, rows: list[Row]) -> None:
        """Add rows to a table; create it if it doesn't exist."""
        with self._lock:
            self._tables.setdefault(uri, []).extend(rows)

    def as_json(self) -> dict[str, list[Row]]:
        """Return all tables."""
        with self._lock:
            return {uri: list(rows) for uri, rows in self._tables.items()}


class Tables:
    """The source and the sink of jobs' BigQuery rows.

    Args:
        source: Returns a table's rows, or None if the table does not exist; default: those in memory.
        sink: Takes rows to add to a table, at most ten thousand a call; default: keeps them in memory.

    Attributes:
        memory: The tables in memory.
    """

    def __init__(self, source: Source | None, sink: Sink | None) -> None:
        self.memory = MemoryTables()
        self.read: Source = source or self.memory.read
        self.append: Sink = sink or self.memory.append
