"""Report how long jobs wait and run, and predict it for an estimate (``GET /v1/jobs:stats``)."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

import msgspec
from werkzeug.wrappers import Request, Response

from batch_gateway.core.access.callers import Caller
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.core.timing.job_times import (
    WINDOWS,
    DailyTimes,
    Expectation,
    TimeStats,
    expect,
    first_day,
    model_name,
    summarize,
)
from batch_gateway.gateway.http import params, responses
from batch_gateway.logs import log
from batch_gateway.ports import JobTimeStore, StoreUnavailableError


class StatsList(msgspec.Struct, frozen=True, kw_only=True):
    """The times that jobs took.

    Attributes:
        data: By model, location and number of days.
    """

    object: Literal["list"] = "list"
    data: list[TimeStats]


class JobStats:
    """Statistics of the jobs that a caller may see."""

    def __init__(
        self, store: JobTimeStore, prices: Callable[[], PriceTable], now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._prices = prices
        self._now = now

    def report(self, request: Request, caller: Caller) -> Response:
        """Return the statistics by model, location and window.

        Raises:
            ApiError: INVALID_ARGUMENT: There is a parameter.
        """
        params.check_names(request, frozenset())
        today = self._now().astimezone(UTC).date()
        return responses.json(StatsList(data=summarize(self._read(caller), today)))

    def expect(self, caller: Caller, model: str, location: str) -> Expectation:
        """Return how long a job is expected to wait and to run; unknown if Firestore does not answer.

        Args:
            caller: The caller, whose visible jobs count.
            model: Name of the model, or of the base of a tuned one.
            location: Location of the job.
        """
        resolve = self._prices().resolve

        def key(name: str) -> str:
            return resolve(name) or model_name(name)

        try:
            found = [
                each
                for each in self._read(caller)
                if each.location == location and key(each.model) == key(model)
            ]
        except StoreUnavailableError as error:
            log("WARNING", "job times not read", error=error)
            found = []
        return expect(found, self._now().astimezone(UTC).date())

    def _read(self, caller: Caller) -> list[DailyTimes]:
        today = self._now().astimezone(UTC).date()
        first = first_day(today, max(WINDOWS))
        return list(self._store.daily_times(caller.record_scope, first, today.isoformat()))
