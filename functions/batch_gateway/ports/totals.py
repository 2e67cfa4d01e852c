"""Define the store of totals."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from batch_gateway.core.accounting.settlement import DailyTotal


class TotalStore(Protocol):
    """Daily totals, and their roll-ups. Errors are as in Store."""

    def list_totals(self, first: str, last: str, equal: Mapping[str, str]) -> Iterator[DailyTotal]:
        """Yield the daily totals of a range of UTC days, ordered by day; a total may come in several parts.

        Args:
            first: The first day, ``2026-11-22``.
            last: The last day.
            equal: Values that fields must have: fields of TotalKey, or ``label:NAME``.
        """

    def daily_rollups(self, first: str, last: str) -> Iterator[DailyTotal]:
        """Yield the daily totals without labels (`core.accounting.rollups`) of a range of UTC days, by day.

        Each total comes in one piece.

        Args:
            first: The first day, ``2026-11-22``.
            last: The last day.
        """

    def monthly_rollups(self, month: str) -> Iterator[DailyTotal]:
        """Yield the totals without labels of a UTC month (``2026-11``), each dated to its middle."""
