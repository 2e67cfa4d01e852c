"""Spend over time, as an answer and as a file."""

import base64
import binascii
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain

import msgspec
from werkzeug.wrappers import Request, Response

from batch_gateway.core import focus
from batch_gateway.core.access import Caller
from batch_gateway.core.calendars import WIDTHS, Calendar, Span
from batch_gateway.core.errors import ApiError
from batch_gateway.core.prices import PriceTable
from batch_gateway.core.sheets import CONTENT_TYPE, csv_chunks
from batch_gateway.core.spend import (
    JOB,
    PLAIN_FIELDS,
    Entry,
    TooManyGroupsError,
    buckets,
    entries_of_job,
    entries_of_totals,
    equalities,
    matching,
)
from batch_gateway.gateway import answers, bodies, spend_query
from batch_gateway.gateway import spend_views as views
from batch_gateway.gateway.spend_query import SpendQuery
from batch_gateway.logs import log
from batch_gateway.ports import Store

_LIMITS = {"1h": (24, 744), "1d": (7, 366), "1mo": (12, 120)}
"""Buckets in a page by default, hours and days as OpenAI has them, and at most."""
_RESULTS = 20_000
"""Results after which a page ends early, with the bucket that they are in."""
_JOBS = 200
"""Jobs that are read at once."""
_DAY = timedelta(days=1)
_YEAR = timedelta(days=366)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Spend:
    """Answers from the totals; from the jobs where each is wanted by itself.

    Spend belongs to the time at which a job was created.
    """

    def __init__(
        self,
        store: Store,
        prices: Callable[[], PriceTable],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._prices = prices
        self._now = now

    def costs(self, request: Request, caller: Caller) -> Response:
        """``GET /v1/costs``: a page of buckets, in the shape of OpenAI's costs API.

        Raises:
            ApiError: INVALID_ARGUMENT, also if there are too many groups for an answer.
            StoreUnavailableError: The books cannot be reached.
        """
        query = spend_query.parse(request, caller, self._now(), {"bucket_width", "limit", "page"})
        width = request.args.get("bucket_width", "1d")
        if width not in WIDTHS:
            raise bodies.invalid(f"bucket_width: must be one of {', '.join(WIDTHS)}")
        default, most = _LIMITS[width]
        limit = bodies.number(request.args.get("limit"), "limit", default, most)
        calendar = Calendar(width, query.zone)
        page = _page(query.span, calendar, limit, request.args.get("page"))
        data, shown = [], 0
        end = page.start
        try:
            for bucket in buckets(self._entries(page, query), page, calendar, query.group_by, self._prices()):
                data.append(msgspec.Raw(msgspec.json.encode(views.bucket(bucket, query.group_by))))
                end = bucket.span.end
                shown += len(bucket.results)
                if shown >= _RESULTS:
                    break
        except TooManyGroupsError as error:
            raise _too_many() from error
        more = end < query.span.end
        return answers.json(
            {
                "object": "page",
                "data": data,
                "has_more": more,
                "next_page": _page_from(end) if more else None,
            }
        )

    def export(self, request: Request, caller: Caller) -> Response:
        """``GET /v1/costs:export``: all of it as a file, streamed.

        Raises:
            ApiError: INVALID_ARGUMENT.
            StoreUnavailableError: The books cannot be reached. If that happens while the file is on its
                way, the connection breaks off, so that a part is not taken for the whole.
        """
        query = spend_query.parse(request, caller, self._now(), {"format"})
        kind = request.args.get("format", "csv")
        if kind not in {"csv", "focus"}:
            raise bodies.invalid("format: must be csv or focus")
        chunks = self._focus(query) if kind == "focus" else self._csv(query)
        # With the first chunk at hand, what goes wrong at the beginning is still answered properly.
        try:
            first = next(chunks)
        except TooManyGroupsError as error:
            raise _too_many() from error
        start, last = query.span.start.astimezone(query.zone), query.span.end.astimezone(query.zone)
        name = f"{'focus' if kind == 'focus' else 'costs'}-{start:%Y%m%dT%H%M}-{last:%Y%m%dT%H%M}.csv"
        return Response(
            _watched(chain([first], chunks)),
            headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
            content_type=CONTENT_TYPE,
        )

    def _csv(self, query: SpendQuery) -> Iterator[bytes]:
        entries = self._entries(query.span, query)
        if JOB in query.group_by:
            fields = tuple(field for field in query.group_by if field != JOB)
            header = (*views.JOB_COLUMNS, *fields, *views.AMOUNT_COLUMNS)
            return csv_chunks(header, views.job_rows(entries, fields, self._prices()))
        fields = query.group_by or PLAIN_FIELDS
        calendar = Calendar("1d", query.zone)
        # Of the years to come there is nothing to say, and counting through their days takes long.
        start, end = query.span
        span = Span(start, max(start, min(end, self._now() + _YEAR)))
        found = buckets(entries, span, calendar, fields, self._prices())
        return csv_chunks(("start_time", "end_time", *fields, *views.AMOUNT_COLUMNS), views.day_rows(found))

    def _focus(self, query: SpendQuery) -> Iterator[bytes]:
        if set(query.group_by) - {JOB}:
            raise bodies.invalid(
                f"group_by: a FOCUS file has a row for everything that differs; only {JOB} may be given, for "
                "rows of each job"
            )
        if query.zone != UTC:
            raise bodies.invalid("time_zone: a FOCUS file is in UTC; leave it out")
        span = query.span if query.of_jobs else _whole_days(query)
        prices = self._prices()
        rows = (row for entry in self._entries(span, query) for row in focus.rows(entry, prices))
        return csv_chunks(focus.COLUMNS, rows)

    def _entries(self, span: Span, query: SpendQuery) -> Iterator[Entry]:
        if query.of_jobs:
            return matching(self._jobs(span), query.filters)
        first, last = span.start.astimezone(UTC), span.end.astimezone(UTC) - timedelta.resolution
        cells = self._store.list_totals(
            first.date().isoformat(), last.date().isoformat(), equalities(query.filters)
        )
        return matching(entries_of_totals(cells), query.filters)

    def _jobs(self, span: Span) -> Iterator[Entry]:
        after = None
        while True:
            jobs = self._store.jobs_created(span.start, span.end, after, _JOBS)
            for job in jobs:
                yield from entries_of_job(job)
            if len(jobs) < _JOBS:
                return
            after = (jobs[-1].create_time, jobs[-1].key)


def _whole_days(query: SpendQuery) -> Span:
    """The span of a file whose items are known by the day only."""
    start, end = query.span
    if query.open_end:
        end = -(-(end - _EPOCH) // _DAY) * _DAY + _EPOCH
    if (start - _EPOCH) % _DAY or (end - _EPOCH) % _DAY:
        raise bodies.invalid(
            "start_time and end_time: a FOCUS file holds whole days of UTC, so both must be at midnight, "
            f"such as 2026-11-01T00:00:00Z; with group_by={JOB} they may be any time"
        )
    return Span(start, end)


def _page(span: Span, calendar: Calendar, limit: int, page: str | None) -> Span:
    """What of the span is on a page."""
    start = span.start if page is None else _start_of(page)
    if not span.start <= start < span.end or (page is not None and calendar.floor(start) != start):
        raise _no_page()
    end = start
    for _, part in zip(range(limit), calendar.spans(start, span.end), strict=False):
        end = part.end
    return Span(start, end)


def _page_from(start: datetime) -> str:
    return base64.urlsafe_b64encode(b"%d" % start.timestamp()).decode().rstrip("=")


def _start_of(page: str) -> datetime:
    try:
        seconds = int(base64.urlsafe_b64decode(page + "=" * (-len(page) % 4)))
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, binascii.Error, OverflowError, OSError) as error:
        raise _no_page() from error


def _no_page() -> ApiError:
    return bodies.invalid("page: pass next_page of the answer before, as it is, with its other parameters")


def _too_many() -> ApiError:
    return bodies.invalid(
        "group_by: makes more groups than can be summed at once. Narrow them with filters or group by fewer "
        f"fields; for a row for each job, take the file of /v1/costs:export with group_by={JOB}"
    )


def _watched(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Says in the log that a file broke off: its answer had begun, so nothing else can."""
    try:
        yield from chunks
    except Exception as error:
        log("ERROR", "export broke off", error=error)
        raise
