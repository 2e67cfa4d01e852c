"""The PriceStore port in a variable."""

from collections.abc import Callable

from batch_gateway.core.pricing.overrides import Overrides
from batch_gateway.ports import StoreUnavailableError


class MemoryPrices:
    """The PriceStore port in a variable.

    Attributes:
        down: While true, every call raises StoreUnavailableError.
        reads: Number of reads so far.
    """

    def __init__(self) -> None:
        self.down = False
        self.reads = 0
        self._overrides = Overrides()

    def read_overrides(self) -> Overrides:
        self.reads += 1
        self._check_up()
        return self._overrides

    def change_overrides(self, change: Callable[[Overrides], Overrides | None]) -> Overrides | None:
        self._check_up()
        changed = change(self._overrides)
        if changed is not None:
            self._overrides = changed
        return changed

    def _check_up(self) -> None:
        if self.down:
            raise StoreUnavailableError("down")
