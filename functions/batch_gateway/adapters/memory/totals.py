"""The totals of MemoryStore, as FirestoreTotals has them."""

from collections.abc import Iterator, Mapping

from batch_gateway.core.books import Cell
from batch_gateway.core.spend import Entry, getter


class MemoryTotals:
    """The part of the Store port that is about spend over time. To be mixed into MemoryStore."""

    _cells: dict[str, Cell]

    def ping(self) -> None:
        """See Store."""

    def list_totals(self, first: str, last: str, equal: Mapping[str, str]) -> Iterator[Cell]:
        """See Store."""
        self.ping()
        for _, cell in sorted(self._cells.items()):
            if first <= cell.day <= last and all(
                getter(field)(Entry(cell)) == value for field, value in equal.items()
            ):
                yield cell
