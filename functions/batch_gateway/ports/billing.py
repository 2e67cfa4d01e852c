"""Define access to the export of Google's bill."""

from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from batch_gateway.core.spend.reconcile import Billed
from batch_gateway.core.spend.time_buckets import Span


class BillingExportError(ValueError):
    """The export cannot be used as it is configured; the message says why, and what to do."""


class Bill(NamedTuple):
    """The bill of a span.

    Attributes:
        kind: ``standard`` (also the detailed export) or ``focus``.
        rows: Costs by day, project and SKU.
        exported: Time of the newest row; None if there is no row.
        bytes: Bytes that the query read; BigQuery bills 10 MB at least.
    """

    kind: Literal["standard", "focus"]
    rows: list[Billed]
    exported: datetime | None
    bytes: int


class BillingExport(Protocol):
    """The Cloud Billing export in BigQuery."""

    def read(self, span: Span, projects: frozenset[str]) -> Bill:
        """Read what models cost in projects.

        Args:
            span: Whole UTC days of usage.
            projects: Ids of the projects.

        Raises:
            BillingExportError: There is no such table, it is no billing export, it must not be read, or a
                query would read too much.
            TablesUnavailableError: BigQuery does not answer.
        """
