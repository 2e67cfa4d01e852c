"""Roll-ups: the totals of a day or a month without labels, so that a year can be read at once.

A label with a different value for each job leaves one total per job. Roll-ups leave out all labels but the
one that names a job's key: it finds the spend of keys without a team.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

from batch_gateway.core.accounting.settlement import DailyTotal, TotalKey
from batch_gateway.core.jobs.labels import KEY_LABEL
from batch_gateway.core.spend.time_buckets import QUARTER, Span

_MIDDLE = "-15"
"""The day that a month's amount is shown on: it lies in the same month in every time zone."""

GroupKey = tuple[str, str, str, str, str, str]
"""(model, key's alias, team, project, location, key's id)"""


class Edge(NamedTuple):
    """The hours by which a time zone's month differs from UTC's month of the same name.

    Attributes:
        span: Those hours.
        sign: 1 if only the time zone's month has them, -1 if only UTC's has them.
    """

    span: Span
    sign: int


def group_key(total: TotalKey) -> str:
    """Encode the fields that a roll-up sums by as text."""
    fields: GroupKey = (
        total.model,
        total.api_key,
        total.team,
        total.project,
        total.location,
        total.labels.get(KEY_LABEL, ""),
    )
    return msgspec.json.encode(fields).decode()


def daily_rollup(day: str, key: str, quarters: dict[str, int], unpriced_rows: int) -> DailyTotal:
    """Return a total of a day's roll-up.

    Args:
        day: UTC day, ``2026-11-22``.
        key: From `group_key`.
        quarters: nano-USD by quarter of an hour.
        unpriced_rows: As in DailyTotal.
    """
    model, api_key, team, project, location, key_id = msgspec.json.decode(key, type=GroupKey)
    return DailyTotal(
        day,
        model,
        api_key,
        team,
        project,
        location,
        {KEY_LABEL: key_id} if key_id else {},
        quarters,
        unpriced_rows=unpriced_rows,
    )


def monthly_rollup(month: str, key: str, amount_nano: int, unpriced_rows: int) -> DailyTotal:
    """Return a total of a month's roll-up, dated to the middle of that month (``2026-11``)."""
    return daily_rollup(month + _MIDDLE, key, {"0": amount_nano}, unpriced_rows)


def month_edges(month: Span) -> Iterator[Edge]:
    """Find the hours that only a time zone's month has, and those that only UTC's month of that name has.

    Args:
        month: A whole month of the time zone.
    """
    start, end = (time.replace(tzinfo=UTC) for time in month)
    for own, utc, sign in ((month.start, start, 1), (month.end, end, -1)):
        if own < utc:
            yield Edge(Span(own, utc), sign)
        elif utc < own:
            yield Edge(Span(utc, own), -sign)


def cut_to_span(totals: Iterable[DailyTotal], span: Span) -> Iterator[DailyTotal]:
    """Yield the part of each total that was spent within a span, where there is any."""
    for total in totals:
        midnight = datetime.fromisoformat(total.day).replace(tzinfo=UTC)
        kept = {
            quarter: amount
            for quarter, amount in total.quarters.items()
            if span.start <= midnight + int(quarter) * QUARTER < span.end
        }
        if kept:
            yield msgspec.structs.replace(total, quarters=kept)


def edge_adjustment(total: DailyTotal, month: str, sign: int) -> DailyTotal:
    """Return what a total on a month's edge adds to the month or takes away from it."""
    return msgspec.structs.replace(
        total,
        day=month + _MIDDLE,
        quarters={"0": sign * sum(total.quarters.values())},
        unpriced_rows=max(0, sign * total.unpriced_rows),
    )


def days_of(span: Span) -> tuple[str, str]:
    """Return the first and the last UTC day of a span."""
    last = span.end.astimezone(UTC) - timedelta.resolution
    return span.start.astimezone(UTC).date().isoformat(), last.date().isoformat()
