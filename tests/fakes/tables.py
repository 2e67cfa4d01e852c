"""The Tables port in a dict."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from batch_gateway.ports import ObjectChangedError, TableInfo


class MemoryTables:
    """The Tables port in a dict, with lines of output as rows."""

    def __init__(self) -> None:
        self._tables: dict[str, tuple[TableInfo, list[bytes]]] = {}
        self._generation = 0

    def put(self, uri: str, lines: list[bytes]) -> TableInfo:
        """Write a table, overwriting an existing one."""
        self._generation += 1
        size = sum(map(len, lines))
        columns = {"response": "JSON", "status": "STRING"}
        info = TableInfo(uri, self._generation, size, len(lines), "US", columns)
        self._tables[uri] = (info, lines)
        return info

    def remove(self, uri: str) -> None:
        """Delete a table."""
        del self._tables[uri]

    def stat(self, uri: str) -> TableInfo | None:
        found = self._tables.get(uri)
        return found[0] if found else None

    def usage_lines(self, table: TableInfo, *, carried_before: datetime) -> Iterator[tuple[bytes, int]]:  # noqa: ARG002 - no row is carried over
        found = self._tables.get(table.uri)
        if found is None:
            raise ObjectChangedError(table.uri)
        yield from Counter(found[1]).items()
        if self.stat(table.uri) != table:
            raise ObjectChangedError(table.uri)
