"""Sum spend over time, from totals or from jobs, by any fields.

Totals and jobs give the same sums to the nano-dollar, since a job is turned into the same deltas that
settling it adds to the totals.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from batch_gateway.core.accounting.settlement import (
    DailyTotal,
    ItemTotal,
    TotalDelta,
    TotalKey,
    quarter_of_job,
    total_deltas,
    total_key,
)
from batch_gateway.core.jobs.labels import KEY_LABEL
from batch_gateway.core.jobs.record import JobRecord
from batch_gateway.core.pricing.cost import Cost
from batch_gateway.core.pricing.model_names import short_name
from batch_gateway.core.spend.time_buckets import QUARTER, Calendar, Span
from batch_gateway.core.usage import Usage

GROUP_FIELDS = ("model", "team", "api_key", "project", "location")
"""Fields of a total that spend can be grouped and filtered by, besides ``label:NAME``."""
JOB = "job"
"""Field that spend can be grouped and filtered by if its entries are jobs."""
LABEL = "label:"

MOST_GROUPS = 100_000
"""Most groups that are summed at once, in all buckets of a day or longer: the bound on memory."""

Filter = tuple[str, frozenset[str]]
"""A field and the values that it may have; ``""`` stands for entries without a value."""
Getter = Callable[["Entry"], str | None]


class TooManyGroupsError(ValueError):
    """There are too many groups to sum them in bounded memory."""


class Entry(NamedTuple):
    """Spend on one day.

    Attributes:
        total: Amounts by time and item, of all jobs with the same key or of one job.
        job: That job; None if the entry is of all jobs.
    """

    total: DailyTotal
    job: JobRecord | None = None


class Result(NamedTuple):
    """The spend of a group.

    Attributes:
        group: The values of the fields that were grouped by, in their order; None for a missing value.
        amount_nano: nano-USD.
        unpriced: Some of the usage has no price or could not be read, so that the amount is a floor.
    """

    group: tuple[str | None, ...]
    amount_nano: int
    unpriced: bool


class Bucket(NamedTuple):
    """The spend in a span of time, by group, the largest amount first."""

    span: Span
    results: list[Result]


def is_field(name: str) -> bool:
    """Return True if spend can be grouped by a field."""
    return name in GROUP_FIELDS or name == JOB or (name.startswith(LABEL) and name != LABEL)


def getter(field: str) -> Getter:
    """Return a function that gets a field of an entry; None if it has none. A label's value may be empty."""
    if field == JOB:
        return lambda entry: entry.job.seen.name if entry.job else None
    if field.startswith(LABEL):
        name = field.removeprefix(LABEL)
        return lambda entry: entry.total.labels.get(name)
    return lambda entry: getattr(entry.total, field) or None


def needs_labels(fields: Iterable[str]) -> bool:
    """Return True if fields need labels that roll-ups leave out."""
    return any(field.startswith(LABEL) and field != f"{LABEL}{KEY_LABEL}" for field in fields)


def names_of(job: JobRecord) -> set[str]:
    """Return the names of a job for filters: with the project's number, with its id, or the job id alone."""
    return {job.seen.name, job.key.path, job.key.job_id}


def filter_entries(entries: Iterable[Entry], filters: Iterable[Filter]) -> Iterator[Entry]:
    """Yield the entries that pass every filter."""
    tests = [(field, getter(field), values) for field, values in filters]
    for entry in entries:
        if all(_passes(entry, field, get, values) for field, get, values in tests):
            yield entry


def _passes(entry: Entry, field: str, get: Getter, values: frozenset[str]) -> bool:
    if field == JOB:
        return entry.job is not None and not values.isdisjoint(names_of(entry.job))
    return (get(entry) or "") in values


def equalities(filters: Iterable[Filter]) -> dict[str, str]:
    """Return the fields that must have one certain value, for a store that can query for them.

    Names in double underscores, which labels may have, are reserved by Firestore.
    """
    return {
        field: value
        for field, values in filters
        for value in values
        if field != JOB and value and len(values) == 1 and not _is_reserved(field)
    }


def _is_reserved(field: str) -> bool:
    name = field.removeprefix(LABEL)
    return name.startswith("__") and name.endswith("__")


def entries_of_totals(totals: Iterable[DailyTotal]) -> Iterator[Entry]:
    """Yield an entry for each total, its parts added up.

    Args:
        totals: Parts of totals; those with the same key must follow each other.
    """
    last: DailyTotal | None = None
    for total in totals:
        if last is not None and _have_same_key(last, total):
            last = _add_totals(last, total)
            continue
        if last is not None:
            yield Entry(last)
        last = total
    if last is not None:
        yield Entry(last)


def _have_same_key(one: DailyTotal, other: DailyTotal) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in TotalKey.__struct_fields__)


def _add_totals(one: DailyTotal, other: DailyTotal) -> DailyTotal:
    quarters, items = dict(one.quarters), dict(one.items)
    for quarter, amount in other.quarters.items():
        quarters[quarter] = quarters.get(quarter, 0) + amount
    for name, more in other.items.items():
        item = items.get(name, ItemTotal())
        items[name] = item + more
    return msgspec.structs.replace(
        one, quarters=quarters, items=items, unpriced_rows=one.unpriced_rows + other.unpriced_rows
    )


def entries_of_job(job: JobRecord) -> list[Entry]:
    """Return a job as the totals that it changed: one for each model; one if it cost nothing."""
    deltas = total_deltas(
        msgspec.structs.replace(job, cost=Cost(), usage=Usage(), unreadable_outputs=0), job
    ) or [
        # A job that used nothing has no delta that would name its model.
        (total_key(job, short_name(job.priced_model)), TotalDelta(quarter_of_job(job), 0, {}, {}))
    ]
    return [Entry(_daily_total(key, delta), job) for key, delta in deltas]


def _daily_total(key: TotalKey, delta: TotalDelta) -> DailyTotal:
    return DailyTotal(
        **msgspec.structs.asdict(key),
        quarters={str(delta.quarter): delta.amount_nano},
        items={
            item: ItemTotal(quantity, delta.amounts_nano.get(item, 0), delta.discounts_nano.get(item, 0))
            for item, quantity in delta.quantities.items()
        },
        unpriced_rows=delta.unpriced_rows,
    )


def sum_by_bucket(
    entries: Iterable[Entry], span: Span, calendar: Calendar, fields: Sequence[str]
) -> Iterator[Bucket]:
    """Sum entries by bucket of time and group. Holds the groups of as many buckets as a day touches.

    Args:
        entries: By day, the earliest first. Spend outside the span is left out.
        span: The time to sum over.
        calendar: The width and time zone of buckets.
        fields: Fields to group by.

    Yields:
        Every bucket of the span, even if nothing was spent in it.

    Raises:
        TooManyGroupsError: There are more than MOST_GROUPS at once.
    """
    sums = _Sums(span, calendar, fields)
    coming = iter(entries)
    entry = next(coming, None)
    for part in calendar.spans(*span):
        while entry is not None and _midnight(entry.total) < part.end:
            sums.add(entry)
            entry = next(coming, None)
        yield Bucket(part, sums.take(calendar.floor(part.start)))


def _midnight(total: DailyTotal) -> datetime:
    return datetime.fromisoformat(total.day).replace(tzinfo=UTC)


class _Sums:
    """Sums by the start of the bucket and by group."""

    def __init__(self, span: Span, calendar: Calendar, fields: Sequence[str]) -> None:
        self._span = span
        self._calendar = calendar
        self._getters = [getter(field) for field in fields]
        self._sums: dict[datetime, dict[tuple[str | None, ...], tuple[int, bool]]] = {}
        self._groups = 0
        self._day = ""
        self._starts: dict[str, datetime | None] = {}

    def add(self, entry: Entry) -> None:
        """Add the part of an entry that was spent within the span."""
        total = entry.total
        if total.day != self._day:
            self._day, self._starts = total.day, {}
        group = tuple([get(entry) for get in self._getters])
        unpriced = total.unpriced_rows > 0
        for quarter, amount in total.quarters.items():
            if quarter not in self._starts:
                self._starts[quarter] = self._start(total, quarter)
            start = self._starts[quarter]
            if start is not None:
                self._add(start, group, amount, unpriced=unpriced)

    def _start(self, total: DailyTotal, quarter: str) -> datetime | None:
        """Return the start of the bucket that contains a quarter of an hour; None outside the span."""
        time = _midnight(total) + int(quarter) * QUARTER
        return self._calendar.floor(time) if self._span.start <= time < self._span.end else None

    def _add(self, start: datetime, group: tuple[str | None, ...], amount: int, *, unpriced: bool) -> None:
        groups = self._sums.setdefault(start, {})
        if group not in groups:
            self._groups += 1
            if self._groups > MOST_GROUPS:
                raise TooManyGroupsError
        before, was_unpriced = groups.get(group, (0, False))
        groups[group] = (before + amount, was_unpriced or unpriced)

    def take(self, start: datetime) -> list[Result]:
        """Return the results of a bucket, and free their memory."""
        groups = self._sums.pop(start, {})
        self._groups -= len(groups)
        results = [Result(group, *sums) for group, sums in groups.items() if any(sums)]
        return sorted(
            results, key=lambda result: (-result.amount_nano, [value or "" for value in result.group])
        )
