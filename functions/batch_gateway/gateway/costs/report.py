"""Report spend over time, as a page of JSON or as a file."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Protocol

from werkzeug.wrappers import Request, Response

from batch_gateway.core.access.callers import Caller
from batch_gateway.core.accounting import rollups
from batch_gateway.core.accounting.settlement import DailyTotal
from batch_gateway.core.errors import ApiError
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.core.spend import focus
from batch_gateway.core.spend.csv_rows import CONTENT_TYPE, csv_chunks
from batch_gateway.core.spend.entries import (
    GROUP_FIELDS,
    JOB,
    Entry,
    TooManyGroupsError,
    entries_of_job,
    entries_of_totals,
    equalities,
    filter_entries,
    sum_by_bucket,
)
from batch_gateway.core.spend.time_buckets import WIDTHS, Calendar, Span
from batch_gateway.gateway.costs import answers, parameters
from batch_gateway.gateway.costs.parameters import SpendQuery
from batch_gateway.gateway.http import page_tokens, params, responses
from batch_gateway.logs import log
from batch_gateway.ports import JobStore, TotalStore

_LIMITS = {"1h": (24, 744), "1d": (7, 366), "1mo": (12, 120)}
"""Buckets in a page by bucket width: default (for hours and days OpenAI's) and maximum."""
_RESULTS = 20_000
"""Results after which a page ends early, at the end of a bucket."""
_ENTRIES = 20_000
"""Jobs and daily totals read after which a page ends early, at the end of a bucket: some seven seconds."""
_MOST_ENTRIES = 60_000
"""Most jobs and daily totals that are read for a page, even if it has only one bucket."""
_JOBS = 200
"""Jobs in one read."""
_DAY = timedelta(days=1)
_YEAR = timedelta(days=366)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SpendStore(JobStore, TotalStore, Protocol):
    """The parts of the store that spend is read from."""


class Spend:
    """Handler of spend reports: reads totals, or jobs if they are asked for one by one.

    Spend is reported at the time at which its job was created.
    """

    def __init__(
        self,
        store: SpendStore,
        prices: Callable[[], PriceTable],
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._prices = prices
        self._now = now

    def report(self, request: Request, caller: Caller) -> Response:
        """Return a page of buckets in the shape of OpenAI's costs API (``GET /v1/costs``).

        Raises:
            ApiError: INVALID_ARGUMENT, also if there are too many groups or entries for one answer.
            StoreUnavailableError: Firestore does not answer.
        """
        query = parameters.parse(request, caller, self._now(), {"bucket_width", "limit", "page"})
        width = request.args.get("bucket_width", "1d")
        if width not in WIDTHS:
            raise params.invalid(f"bucket_width: must be one of {', '.join(WIDTHS)}")
        default, most = _LIMITS[width]
        limit = params.number(request, "limit", default, most)
        calendar = Calendar(width, query.zone)
        page = _page_span(query.span, calendar, limit, request.args.get("page"))
        data, shown = [], 0
        end = page.start
        entries = _EntryCounter(self._entries(page, query, calendar), limited=not query.is_rolled_up)
        try:
            for bucket in sum_by_bucket(entries, page, calendar, query.group_by):
                data.append(answers.bucket_view(bucket, query.group_by))
                end = bucket.span.end
                shown += len(bucket.results)
                if shown >= _RESULTS or entries.read >= _ENTRIES:
                    break
        except TooManyGroupsError as error:
            raise _too_many_groups() from error
        except _TooManyEntriesError as error:
            raise _too_many_entries() from error
        more = end < query.span.end
        return responses.json(
            answers.SpendPage(
                data=data, has_more=more, next_page=page_tokens.encode_time(end) if more else None
            )
        )

    def export(self, request: Request, caller: Caller) -> Response:
        """Stream the whole report as a file (``GET /v1/costs:export``).

        Raises:
            ApiError: INVALID_ARGUMENT.
            StoreUnavailableError: Firestore does not answer. If that happens after the file has begun, the
                connection is cut, so that a part cannot be mistaken for the whole.
        """
        query = parameters.parse(request, caller, self._now(), {"format"})
        kind = request.args.get("format", "csv")
        if kind not in {"csv", "focus"}:
            raise params.invalid("format: must be csv or focus")
        chunks = self._focus(query) if kind == "focus" else self._csv(query)
        # The first chunk is made before the answer begins, so that early errors are still reported as errors.
        try:
            first = next(chunks)
        except TooManyGroupsError as error:
            raise _too_many_groups() from error
        start, last = query.span.start.astimezone(query.zone), query.span.end.astimezone(query.zone)
        name = f"{'focus' if kind == 'focus' else 'costs'}-{start:%Y%m%dT%H%M}-{last:%Y%m%dT%H%M}.csv"
        return Response(
            _log_failure(chain([first], chunks)),
            headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
            content_type=CONTENT_TYPE,
        )

    def _csv(self, query: SpendQuery) -> Iterator[bytes]:
        calendar = Calendar("1d", query.zone)
        entries = self._entries(query.span, query, calendar)
        if JOB in query.group_by:
            fields = tuple(field for field in query.group_by if field != JOB)
            header = (*answers.JOB_COLUMNS, *fields, *answers.AMOUNT_COLUMNS)
            return csv_chunks(header, answers.job_rows(entries, fields))
        fields = query.group_by or GROUP_FIELDS
        # The years to come have no spend, and going through their days takes long.
        start, end = query.span
        span = Span(start, max(start, min(end, self._now() + _YEAR)))
        found = sum_by_bucket(entries, span, calendar, fields)
        return csv_chunks(
            ("start_time", "end_time", *fields, *answers.AMOUNT_COLUMNS), answers.day_rows(found)
        )

    def _focus(self, query: SpendQuery) -> Iterator[bytes]:
        if set(query.group_by) - {JOB}:
            raise params.invalid(
                f"group_by: a FOCUS file always has its own rows; only {JOB} may be given, for rows by job"
            )
        if query.zone != UTC:
            raise params.invalid("time_zone: a FOCUS file is in UTC; leave it out")
        span = query.span if query.of_jobs else _whole_days(query)
        prices = self._prices()
        # Rows are by label, and roll-ups have no labels.
        entries = self._jobs(span) if query.of_jobs else self._cells(span, query)
        rows = (row for entry in filter_entries(entries, query.filters) for row in focus.rows(entry, prices))
        return csv_chunks(focus.COLUMNS, rows)

    def _entries(self, span: Span, query: SpendQuery, calendar: Calendar) -> Iterator[Entry]:
        """Read the spend of a span from the smallest source that has the fields asked for."""
        if query.of_jobs:
            entries = self._jobs(span)
        elif not query.is_rolled_up:
            entries = self._cells(span, query)
        elif calendar.width == "1mo":
            entries = map(Entry, self._months(span, calendar))
        else:
            entries = map(Entry, self._store.daily_rollups(*rollups.days_of(span)))
        return filter_entries(entries, query.filters)

    def _cells(self, span: Span, query: SpendQuery) -> Iterator[Entry]:
        cells = self._store.list_totals(*rollups.days_of(span), equalities(query.filters))
        return entries_of_totals(cells)

    def _months(self, span: Span, calendar: Calendar) -> Iterator[DailyTotal]:
        """Read a span month by month, with partial months read by day."""
        for part in calendar.spans(*span):
            if not calendar.is_whole(part):
                yield from self._days(part)
                continue
            month = f"{part.start:%Y-%m}"
            yield from self._store.monthly_rollups(month)
            for edge in rollups.month_edges(part):
                for cell in self._days(edge.span):
                    yield rollups.edge_adjustment(cell, month, edge.sign)

    def _days(self, span: Span) -> Iterator[DailyTotal]:
        return rollups.cut_to_span(self._store.daily_rollups(*rollups.days_of(span)), span)

    def _jobs(self, span: Span) -> Iterator[Entry]:
        after = None
        while True:
            jobs = self._store.jobs_created(span.start, span.end, after, _JOBS)
            for job in jobs:
                yield from entries_of_job(job)
            if len(jobs) < _JOBS:
                return
            after = (jobs[-1].create_time, jobs[-1].key)


class _TooManyEntriesError(ValueError):
    """One answer would need more entries than can be read in time."""


class _EntryCounter:
    """Iterable that counts the entries read; those of roll-ups are few and are not counted."""

    def __init__(self, entries: Iterator[Entry], *, limited: bool) -> None:
        self._entries = entries
        self._limited = limited
        self.read = 0

    def __iter__(self) -> Iterator[Entry]:
        for entry in self._entries:
            self.read += self._limited
            if self.read > _MOST_ENTRIES:
                raise _TooManyEntriesError
            yield entry


def _whole_days(query: SpendQuery) -> Span:
    """Return the span of a file whose rows are whole days.

    Raises:
        ApiError: Start or end is not at midnight, UTC.
    """
    start, end = query.span
    if query.open_end:
        end = -(-(end - _EPOCH) // _DAY) * _DAY + _EPOCH
    if (start - _EPOCH) % _DAY or (end - _EPOCH) % _DAY:
        raise params.invalid(
            "start_time and end_time: a FOCUS file holds whole days of UTC, so both must be at midnight, "
            f"such as 2026-11-01T00:00:00Z; with group_by={JOB} they may be any time"
        )
    return Span(start, end)


def _page_span(span: Span, calendar: Calendar, limit: int, page: str | None) -> Span:
    """Return the part of a span that is on a page.

    Raises:
        ApiError: The page token does not belong to the report.
    """
    start = span.start if page is None else page_tokens.decode_time(page)
    if not span.start <= start < span.end or (page is not None and calendar.floor(start) != start):
        raise _invalid_page()
    end = start
    for _, part in zip(range(limit), calendar.spans(start, span.end), strict=False):
        end = part.end
    return Span(start, end)


def _invalid_page() -> ApiError:
    return params.invalid(
        "page: pass next_page of the previous answer unchanged, with the same other parameters"
    )


def _too_many_groups() -> ApiError:
    return params.invalid(
        "group_by: makes more groups than can be summed at once. Add filters or group by fewer fields; for "
        f"one row per job, use /v1/costs:export with group_by={JOB}"
    )


def _too_many_entries() -> ApiError:
    return params.invalid(
        f"bucket_width: one bucket sums more than {_MOST_ENTRIES:,} jobs, or groups of jobs with the same "
        "labels. Use shorter buckets or fewer filters by label, or /v1/costs:export"
    )


def _log_failure(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Log the failure of an export: its answer has begun, so the error cannot be returned."""
    try:
        yield from chunks
    except Exception as error:
        log("ERROR", "export broke off", error=error)
        raise
