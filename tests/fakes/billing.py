"""The BillingExport port, with rows that a test gives."""

from datetime import datetime
from typing import Literal

from batch_gateway.core.spend.reconcile import Billed
from batch_gateway.core.spend.time_buckets import Span
from batch_gateway.ports.billing import Bill


class MemoryBilling:
    """The BillingExport port in a list."""

    def __init__(self) -> None:
        self.rows: list[Billed] = []
        self.kind: Literal["standard", "focus"] = "standard"
        self.exported: datetime | None = None
        self.error: Exception | None = None
        self.asked: list[tuple[Span, frozenset[str]]] = []

    def read(self, span: Span, projects: frozenset[str]) -> Bill:
        self.asked.append((span, projects))
        if self.error:
            raise self.error
        first, end = f"{span.start:%F}", f"{span.end:%F}"
        rows = [row for row in self.rows if first <= row.day < end and row.project in projects]
        return Bill(self.kind, rows, self.exported if rows else None, 1234)
