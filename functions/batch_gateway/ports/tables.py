"""BigQuery."""

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

import msgspec


class TablesUnavailableError(OSError):
    """BigQuery did not answer, or refused. The operation may be tried again."""


class TableInfo(msgspec.Struct, frozen=True):
    """A table that a job wrote its output to.

    Attributes:
        uri: ``bq://project.dataset.table``.
        generation: When it was last modified, in milliseconds since 1970: grows when it is overwritten.
        size: Bytes.
        rows: Number of rows.
        location: Where its dataset is, and so where it has to be queried.
        columns: Type of each column by name in lower case, as BigQuery's REST API calls it: ``STRING``,
            ``JSON``, ``RECORD`` …
    """

    uri: str
    generation: int
    size: int
    rows: int
    location: str
    columns: dict[str, str]


class Tables(Protocol):
    """BigQuery. Every method raises TablesUnavailableError if it does not answer."""

    def stat(self, uri: str) -> TableInfo | None:
        """The table as it is now; None if there is none.

        A view counts as none: Vertex AI makes none, and reading one bills for whatever it reads.

        Args:
            uri: ``bq://project.dataset.table``.
        """

    def usage_lines(self, table: TableInfo, *, carried_before: datetime) -> Iterator[tuple[bytes, int]]:
        """What decides the usage of a table's rows, without the rest.

        Args:
            table: As stat gave it.
            carried_before: Of rows that were processed before this time, a ``processed_time`` says so.

        Yields:
            A row as ``rows.Tally`` reads it, and how many rows come to the same.

        Raises:
            ObjectChangedError: The table is no longer as stat gave it.
        """
