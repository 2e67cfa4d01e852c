"""The Tables port in a dict."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

from batch_gateway.ports import ObjectChangedError, TableInfo, TableRow


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
        created = self._tables[uri][0].created if uri in self._tables else datetime.now(UTC)
        info = TableInfo(uri, self._generation, size, len(lines), created, "US", columns)
        self._tables[uri] = (info, lines)
        return info

    def remove(self, uri: str) -> None:
        """Delete a table."""
        del self._tables[uri]

    def stat(self, uri: str) -> TableInfo | None:
        found = self._tables.get(uri)
        return found[0] if found else None

    def usage_lines(self, table: TableInfo, *, carried_before: datetime) -> Iterator[tuple[bytes, int]]:  # noqa: ARG002 - no row is carried over
        yield from Counter(self._lines(table)).items()
        self._check(table)

    def rows(
        self,
        table: TableInfo,
        *,
        carried_before: datetime,  # noqa: ARG002 - same
        whole: bool,
        seconds: float,  # noqa: ARG002 - it takes none
    ) -> Iterator[TableRow]:
        for line in self._lines(table):
            yield TableRow(line, line if whole else b"")
        self._check(table)

    def _lines(self, table: TableInfo) -> list[bytes]:
        found = self._tables.get(table.uri)
        if found is None:
            raise ObjectChangedError(table.uri)
        return found[1]

    def _check(self, table: TableInfo) -> None:
        if self.stat(table.uri) != table:
            raise ObjectChangedError(table.uri)
