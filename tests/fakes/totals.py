"""The part of MemoryStore for spend over time."""

from collections import Counter
from collections.abc import Iterator, Mapping

from batch_gateway.core.accounting.rollups import daily_rollup, group_key, monthly_rollup
from batch_gateway.core.accounting.settlement import DailyTotal
from batch_gateway.core.spend.entries import Entry, getter


class MemoryTotals:
    """The part of the Store port for spend over time, a mix-in of MemoryStore."""

    _cells: dict[str, DailyTotal]

    def ping(self) -> None:
        """Raise StoreUnavailableError while the store is down: MemoryStore does."""

    def list_totals(self, first: str, last: str, equal: Mapping[str, str]) -> Iterator[DailyTotal]:
        self.ping()
        for _, cell in sorted(self._cells.items()):
            if first <= cell.day <= last and all(
                getter(field)(Entry(cell)) == value for field, value in equal.items()
            ):
                yield cell

    def daily_rollups(self, first: str, last: str) -> Iterator[DailyTotal]:
        sums: dict[tuple[str, str], tuple[Counter[str], int]] = {}
        for cell in self.list_totals(first, last, {}):
            key = (cell.day, group_key(cell))
            quarters, unpriced = sums.get(key) or (Counter(), 0)
            quarters.update(cell.quarters)
            sums[key] = quarters, unpriced + cell.unpriced_rows
        for (day, group), (quarters, unpriced) in sums.items():
            yield daily_rollup(day, group, quarters, unpriced)

    def monthly_rollups(self, month: str) -> Iterator[DailyTotal]:
        sums: dict[str, tuple[int, int]] = {}
        for cell in self.list_totals(f"{month}-01", f"{month}-31", {}):
            amount, unpriced = sums.get(group_key(cell), (0, 0))
            sums[group_key(cell)] = amount + sum(cell.quarters.values()), unpriced + cell.unpriced_rows
        for group, (amount, unpriced) in sums.items():
            yield monthly_rollup(month, group, amount, unpriced)
