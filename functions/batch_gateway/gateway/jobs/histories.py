"""Read how a model answered in earlier jobs; concurrent creates share one read."""

from concurrent.futures import Future
from threading import Lock

from batch_gateway.core.estimating.habits import Habit, default_habit, habit_of
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.logs import log
from batch_gateway.ports import JobStore, StoreUnavailableError

Scope = tuple[str, str] | None
_JOBS = 100
"""Number of earlier jobs in a history."""


class Histories:
    """Histories of output by scope and model."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._lock = Lock()
        self._under_way: dict[tuple[Scope, str], Future[Habit]] = {}

    def habit(self, scope: Scope, whose: str, model: str, prices: PriceTable) -> Habit:
        """Return how a model answered in earlier jobs, or the default if there are none.

        A call that arrives while another reads the same history waits for its result.

        Args:
            scope: Scope of the earlier jobs, as in JobStore.recent_jobs.
            whose: Name of the scope, for the estimate's assumptions.
            model: The model's full name.
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
            # An estimate without history is better than none; its assumptions say so.
            log("WARNING", "history not read", error=error)
            jobs = []
        return habit_of(jobs, whose, model, prices) or default_habit(model)
