"""What earlier jobs tell about the answers of a model; creates that come at once read it once."""

from concurrent.futures import Future
from threading import Lock

from batch_gateway.core.estimating.habits import Habit, default_habit, habit_of
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.logs import log
from batch_gateway.ports import Store, StoreUnavailableError

Scope = tuple[str, str] | None
_JOBS = 100
"""Earlier jobs that a history is made of."""


class Histories:
    """Habits by whose jobs they are from, and by model."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._under_way: dict[tuple[Scope, str], Future[Habit]] = {}

    def habit(self, scope: Scope, whose: str, model: str, prices: PriceTable) -> Habit:
        """Return what the answers of a model were like in earlier jobs, else the default.

        Whoever comes while another reads the same takes what that one finds.

        Args:
            scope: Whose jobs, as Store.recent_jobs has it.
            whose: What to call them.
            model: Full name.
            prices: The price table.
        """
        key = (scope, model)
        with self._lock:
            another = self._under_way.get(key)
            mine: Future[Habit] = Future()
            if another is None:
                self._under_way[key] = mine
        if another is not None:
            return another.result()
        try:
            mine.set_result(self._read(scope, whose, model, prices))
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._under_way[key]
        return mine.result()

    def _read(self, scope: Scope, whose: str, model: str, prices: PriceTable) -> Habit:
        try:
            jobs = self._store.recent_jobs(scope, None, None, _JOBS)
        except StoreUnavailableError as error:
            # An estimate without history is worth more than none; its assumptions say that it has none.
            log("WARNING", "history not read", error=error)
            jobs = []
        return habit_of(jobs, whose, model, prices) or default_habit(model)
