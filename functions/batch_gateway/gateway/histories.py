"""What earlier jobs tell about the answers of a model, remembered for a while."""

import time
from collections import OrderedDict
from threading import Lock

from batch_gateway.core.estimating.habits import Habit, habit_by_default, habit_of
from batch_gateway.core.prices import PriceTable
from batch_gateway.logs import log
from batch_gateway.ports import Store, StoreUnavailableError

Scope = tuple[str, str] | None
_JOBS = 100
"""Earlier jobs that a history is made of."""
_REMEMBERED = 500
_SECONDS = 2.0
"""How long a history is remembered: of many creates at once the first reads it."""


class Histories:
    """Habits by whose jobs they are from, and by model."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._known: OrderedDict[tuple[Scope, str], tuple[float, Habit]] = OrderedDict()

    def habit(self, scope: Scope, whose: str, model: str, prices: PriceTable) -> Habit:
        """Return what the answers of a model were like in earlier jobs, else the default.

        Args:
            scope: Whose jobs, as Store.recent_jobs has it.
            whose: What to call them.
            model: Full name.
            prices: The price table.
        """
        key = (scope, model)
        # Whoever comes while another reads waits for what that one finds.
        with self._lock:
            read, habit = self._known.get(key, (0.0, None))
            if habit is None or time.monotonic() - read > _SECONDS:
                found = self._read(scope, whose, model, prices)
                if found is None:
                    return habit_by_default(model)
                habit = found
                self._known[key] = (time.monotonic(), habit)
                self._known.move_to_end(key)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return habit

    def _read(self, scope: Scope, whose: str, model: str, prices: PriceTable) -> Habit | None:
        try:
            jobs = self._store.recent_jobs(scope, None, None, _JOBS)
        except StoreUnavailableError as error:
            # An estimate without history is worth more than none; its assumptions say that it has none.
            log("WARNING", "history not read", error=error)
            jobs = []
        found = habit_of(jobs, whose, model, prices)
        # What few jobs do not tell the next one may, and they are read again quickly.
        return found or (habit_by_default(model) if len(jobs) == _JOBS else None)
