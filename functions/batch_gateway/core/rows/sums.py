"""Hold usage while rows are being added to it."""

import msgspec

from batch_gateway.core.usage import Key, Quantity, Rows, Tokens, Unpriced, Usage, Waste, quantities_of

KeySums = dict[Key, list[int]]
"""[quantity, rows] by key."""


class WasteSums(msgspec.Struct, gc=False):
    """Sums over the useless rows of one (kind, reason), as in ``core.usage.Waste``."""

    rows: int = 0
    unmetered: int = 0
    quantities: KeySums = {}


class Sums(msgspec.Struct, gc=False):
    """Sums over rows: a ``Usage`` that can still be added to.

    Attributes:
        model: The model of the last answered row, as in Quantity; None if there is none.
        doubts: Rows with contradictory counts, by reason.
    """

    succeeded: int = 0
    failed: int = 0
    malformed: int = 0
    carried_over: int = 0
    unmetered: int = 0
    unrecognized: int = 0
    input: int = 0
    cached: int = 0
    output: int = 0
    thoughts: int = 0
    model: str | None = None
    quantities: KeySums = {}
    searches: KeySums = {}
    waste: dict[tuple[str, str], WasteSums] = {}
    doubts: dict[str, int] = {}

    @property
    def usage(self) -> Usage:
        """The usage that has been added so far."""
        return Usage(
            rows=Rows(
                succeeded=self.succeeded,
                failed=self.failed,
                malformed=self.malformed,
                carried_over=self.carried_over,
                unmetered=self.unmetered,
                unrecognized=self.unrecognized,
            ),
            tokens=Tokens(self.input, self.cached, self.output, self.thoughts),
            quantities=_quantities(self.quantities),
            searches=_quantities(self.searches),
            waste=tuple(
                Waste(kind, reason, wasted.rows, wasted.unmetered, _quantities(wasted.quantities))
                for (kind, reason), wasted in sorted(self.waste.items())
            ),
            unpriced=tuple(Unpriced(*doubt) for doubt in sorted(self.doubts.items())),
        )

    @property
    def rows(self) -> int:
        """Number of all rows."""
        return self.succeeded + self.failed + self.malformed + self.carried_over + self.unrecognized

    def wasted(self, kind_and_reason: tuple[str, str]) -> WasteSums:
        """Return the sums over the rows that are useless for one reason."""
        wasted = self.waste.get(kind_and_reason)
        if wasted is None:
            wasted = self.waste[kind_and_reason] = WasteSums()
        return wasted

    def add(self, waste: tuple[str, str] | None, key: Key, quantity: int, rows: int) -> None:
        """Add a quantity, and add it to the waste of a reason if there is one."""
        add_to(self.quantities, key, quantity, rows)
        if waste:
            add_to(self.wasted(waste).quantities, key, quantity, rows)


def add_to(sums: KeySums, key: Key, quantity: int, rows: int) -> None:
    """Add a quantity of one key."""
    entry = sums.get(key)
    if entry is None:
        sums[key] = [quantity, rows]
    else:
        entry[0] += quantity
        entry[1] += rows


def _quantities(sums: KeySums) -> tuple[Quantity, ...]:
    return quantities_of((key, (quantity, rows)) for key, (quantity, rows) in sums.items())
