"""Define access to BigQuery."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple, Protocol

import msgspec


class TablesUnavailableError(OSError):
    """BigQuery did not answer, or denied access. The operation may be retried."""


class TableInfo(msgspec.Struct, frozen=True):
    """A table that a job wrote its output to.

    Attributes:
        uri: ``bq://project.dataset.table``.
        generation: Time of its last change in milliseconds since 1970, which grows when it is overwritten.
        size: Size in bytes.
        rows: Number of rows.
        created: When it was made; overwriting its rows does not change that.
        location: Location of its dataset, where it must be queried.
        columns: Type of each column by name in lower case, as BigQuery's REST API calls it: ``STRING``,
            ``JSON``, ``RECORD`` …
    """

    uri: str
    generation: int
    size: int
    rows: int
    created: datetime
    location: str
    columns: dict[str, str]


class TableRow(NamedTuple):
    """One row of a table.

    Attributes:
        line: The row as ``rows.object_readers`` reads a line, reduced to its key and the parts that decide
            usage.
        whole: JSON of all of its columns; empty if that was not asked for.
    """

    line: bytes
    whole: bytes


class Tables(Protocol):
    """BigQuery. Every method raises TablesUnavailableError if it does not answer."""

    def stat(self, uri: str) -> TableInfo | None:
        """Return the current table; None if there is none.

        A view counts as none: Vertex AI does not make views, and reading one is billed for all that it reads.

        Args:
            uri: ``bq://project.dataset.table``.
        """

    def usage_lines(self, table: TableInfo, *, carried_before: datetime) -> Iterator[tuple[bytes, int]]:
        """Yield a table's rows, reduced to the parts that decide usage.

        Args:
            table: The table as returned by stat.
            carried_before: Rows with an earlier ``processed_time`` were carried over.

        Yields:
            A row as ``rows.Tally`` reads it, and the number of rows that reduce to the same.

        Raises:
            ObjectChangedError: The table has changed since stat.
        """

    def rows(
        self, table: TableInfo, *, carried_before: datetime, whole: bool, seconds: float
    ) -> Iterator[TableRow]:
        """Yield a table's rows one by one, in no particular order.

        Args:
            table: The table as returned by stat.
            carried_before: Rows with an earlier ``processed_time`` were carried over.
            whole: Whether all columns are wanted.
            seconds: Time that the query may take until its first row.

        Raises:
            ObjectChangedError: The table has changed since stat.
        """
