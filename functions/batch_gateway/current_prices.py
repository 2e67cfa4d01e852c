"""Keep the prices in force: the table, the configuration's rates, and the overrides, read once a minute.

Timeline of a change, for one instance::

    0 s         read: good for a minute      60 s        the next request that prices something reads
    |-----------------------------------------|
           ^ another instance sets a price: holds here from 60 s on at the latest

Nothing is priced with overrides that are older than that. If they cannot be read when the minute is over, a
request that needs them fails: an event is delivered again, and an estimate is UNAVAILABLE.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from threading import Lock
from typing import NamedTuple

from batch_gateway.core.pricing.config_rates import ConfigRates
from batch_gateway.core.pricing.overrides import Overrides, OwnPrices
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.ports import PriceStore, RecordError

SECONDS = 60.0
"""Time for which overrides that were read are good."""


class PricesInForce(NamedTuple):
    """The prices in force, and the overrides among them."""

    table: PriceTable
    overrides: Overrides


class CurrentPrices:
    """The prices in force; one for each instance. Call it for the table."""

    def __init__(
        self,
        table: Callable[[], PriceTable],
        config: Mapping[tuple[str, str], ConfigRates],
        store: Callable[[], PriceStore],
        clock: Callable[[], float],
    ) -> None:
        """Store the dependencies.

        Args:
            table: Loads the price table.
            config: The configuration's rates by model's key and location.
            store: Makes the store of overrides on first use: few requests price something.
            clock: Returns monotonic seconds.
        """
        self._load = table
        self._config = config
        self._store = store
        self._clock = clock
        self._lock = Lock()
        self._good_until = float("-inf")
        self._changing = Lock()
        self._changes = 0
        self._reading: Future[PricesInForce] | None = None
        self._known: PricesInForce | None = None

    def __call__(self) -> PriceTable:
        """Return the prices in force.

        Raises:
            StoreUnavailableError: The overrides are not known, or no longer.
            RecordError: Their record cannot be read.
        """
        return self.get().table

    def get(self) -> PricesInForce:
        """Return the prices in force with the overrides; errors are as for a call."""
        with self._lock:
            if self._known and self._clock() < self._good_until:
                return self._known
            reading, mine = self._reading, None
            if reading is None:
                reading = mine = self._reading = Future()
        if mine is not None:
            try:
                mine.set_result(self._read())
            except BaseException as error:  # noqa: BLE001 - raised below, in all threads that wait for it
                mine.set_exception(error)
            finally:
                with self._lock:
                    self._reading = None
        return reading.result()

    def change(self, change: Callable[[Overrides], Overrides | None]) -> PricesInForce | None:
        """Change the overrides as ``PriceStore.change_overrides`` does; they hold here at once.

        Returns:
            The prices in force since; None if nothing was changed.
        """
        with self._changing:
            began = self._clock()
            changed = self._store().change_overrides(change)
            return None if changed is None else self._keep(changed, began, self._changes + 1)

    def _read(self) -> PricesInForce:
        began, changes = self._clock(), self._changes
        return self._keep(self._store().read_overrides(), began, changes)

    def _keep(self, overrides: Overrides, began: float, changes: int) -> PricesInForce:
        """Keep overrides, unless this instance has changed them since the read of them began."""
        table = self._load()
        try:
            own = OwnPrices(overrides.entries, self._config, table.non_global_from)
        except ValueError as error:
            raise RecordError(f"prices/overrides: {error}") from error
        found = PricesInForce(table.with_own(own), overrides)
        with self._lock:
            if changes < self._changes and self._known is not None:
                return self._known
            if self._known is None or self._known.table.version != found.table.version:
                self._known = found
            else:
                self._known = PricesInForce(self._known.table, overrides)
            self._good_until, self._changes = began + SECONDS, changes
            return self._known
