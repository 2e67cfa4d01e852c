"""Compare our books with Google's bill: on request (``GET /v1/costs:reconcile``), and once a day."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Protocol

import msgspec
from werkzeug.wrappers import Request, Response

from batch_gateway.core.access.callers import Caller
from batch_gateway.core.accounting import rollups
from batch_gateway.core.errors import ApiError
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.core.spend.entries import entries_of_totals
from batch_gateway.core.spend.reconcile import Comparison, compare
from batch_gateway.core.spend.time_buckets import Span
from batch_gateway.gateway.costs.bill_answers import bill_view, percent
from batch_gateway.gateway.http import params, responses
from batch_gateway.log_events import usd
from batch_gateway.logs import log
from batch_gateway.ports import StoreUnavailableError, SweepStore, TablesUnavailableError, TotalStore
from batch_gateway.ports.billing import Bill, BillingExport, BillingExportError
from batch_gateway.settings import Settings

MOST_DAYS = 93
_MOST_TOTALS = 60_000
"""Most daily totals that are read for an answer: some twenty seconds."""
_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_CHECKED_DAYS = 28
"""Days that the daily check compares: many, so that jobs that run past midnight hardly matter."""
_SETTLED_AFTER = timedelta(days=3)
"""They end so long ago, since exports are late and jobs run for up to four days."""


class BillStore(TotalStore, SweepStore, Protocol):
    """The parts of the store that are needed here."""


class Reconciliations:
    """Handler of comparisons with Google's bill."""

    def __init__(
        self,
        settings: Settings,
        store: BillStore,
        export: Callable[[], BillingExport],
        prices: Callable[[], PriceTable],
        now: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._store = store
        self._export = export
        self._prices = prices
        self._now = now

    def report(self, request: Request, _: Caller) -> Response:
        """Return the comparison of whole UTC days.

        Raises:
            ApiError: INVALID_ARGUMENT; FAILED_PRECONDITION if there is no export, or it cannot be used;
                UNAVAILABLE if BigQuery does not answer.
            StoreUnavailableError: Firestore does not answer.
        """
        span = _span(request, self._now())
        if self._settings.billing_export is None:
            raise ApiError(
                "FAILED_PRECONDITION",
                "BILLING_EXPORT_NOT_CONFIGURED",
                "The gateway does not know where Google's bill is. Export Cloud Billing to BigQuery, and set "
                "general_settings.billing_export to PROJECT.DATASET.TABLE.",
            )
        try:
            bill, found = self._compare(span)
        except BillingExportError as error:
            raise ApiError(
                "FAILED_PRECONDITION",
                "BILLING_EXPORT_UNUSABLE",
                f"Google's bill cannot be read: {error}.",
            ) from error
        except TablesUnavailableError as error:
            log("ERROR", "BigQuery unavailable", path=request.path, error=error)
            raise ApiError(
                "UNAVAILABLE",
                "BILLING_EXPORT_UNAVAILABLE",
                "BigQuery does not answer, so Google's bill cannot be read. Try again.",
                retry_after=30,
            ) from error
        return responses.json(bill_view(span, self._settings.billing_export, bill, found))

    def check_once_a_day(self) -> None:
        """Compare the last weeks once a day, and log the drift; nothing if there is no export.

        The day is noted first: a check that fails is repeated on the next day, not by each sweep. Failures
        are logged, not raised, since a sweep has other work.
        """
        if self._settings.billing_export is None:
            return
        now = self._now()
        try:
            notes = self._store.sweep_notes()
            today = f"{now.astimezone(UTC):%Y-%m-%d}"
            if notes.bill_compared == today:
                return
            self._store.put_sweep_notes(msgspec.structs.replace(notes, bill_compared=today))
            end = _floor(now - _SETTLED_AFTER)
            _, found = self._compare(Span(end - _CHECKED_DAYS * _DAY, end))
        except (ApiError, BillingExportError, StoreUnavailableError, TablesUnavailableError) as error:
            log("ERROR", "bill not compared", event="bill.failed", error=str(error))
            return
        drift = found.drift_percent
        log(
            "INFO",
            "bill compared",
            event="bill.compared",
            start=f"{end - _CHECKED_DAYS * _DAY:%Y-%m-%d}",
            end=f"{end:%Y-%m-%d}",
            ours_usd=usd(found.ours_nano),
            google_usd=usd(found.google_nano),
            drift_percent=None if drift is None else msgspec.Raw(percent(drift).encode()),
        )

    def _compare(self, span: Span) -> tuple[Bill, Comparison]:
        bill = self._export().read(span, self._settings.projects)
        entries = entries_of_totals(self._store.list_totals(*rollups.days_of(span), {}))
        totals = [entry.total for entry in islice(entries, _MOST_TOTALS + 1)]
        if len(totals) > _MOST_TOTALS:
            raise params.invalid(
                f"start_time and end_time: these days have more than {_MOST_TOTALS:,} groups of jobs with "
                "the same labels. Ask for fewer days"
            )
        # The bill is of the projects that are served now.
        ours = (total for total in totals if total.project in self._settings.projects)
        return bill, compare(ours, bill.rows, self._prices().models, self._now())


def _span(request: Request, now: datetime) -> Span:
    """Return the days that are asked for; the end is the last midnight by default.

    Raises:
        ApiError: They are no whole days, too many, or there is another parameter.
    """
    params.check_names(request, {"start_time", "end_time"})
    start, end = params.time(request, "start_time"), params.time(request, "end_time") or _floor(now)
    if start is None:
        raise params.invalid("start_time: must be given, such as 2026-11-01T00:00:00Z")
    if _floor(start) != start or _floor(end) != end:
        raise params.invalid(
            "start_time and end_time: bills are compared by whole days of UTC, so both must be at midnight, "
            "such as 2026-11-01T00:00:00Z"
        )
    if not _DAY <= end - start <= MOST_DAYS * _DAY:
        raise params.invalid(f"end_time: must be 1 to {MOST_DAYS} days later than start_time")
    return Span(start, end)


def _floor(time: datetime) -> datetime:
    return _EPOCH + (time - _EPOCH) // _DAY * _DAY
