"""Roll-ups: the totals of a day or a month without labels, so that a year is read at once.

A label that differs by job makes a cell of the totals a job. Roll-ups leave labels out, but for the one that
says which key a job is of: spend of keys without a team is found by it.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

from batch_gateway.core.access.callers import KEY_LABEL
from batch_gateway.core.accounting.settlement import Cell, Total
from batch_gateway.core.spend.time_buckets import QUARTER, Span

_MIDDLE = "-15"
"""The day that a month's amount is shown on: in the same month in every time zone."""

GroupKey = tuple[str, str, str, str, str, str]
"""(model, key's alias, team, project, location, key's id)"""


class Edge(NamedTuple):
    """Hours by which a month of a time zone differs from UTC's month of the same name.

    Attributes:
        span: Those hours.
        sign: 1 if only the time zone's month has them, -1 if only UTC's has them.
    """

    span: Span
    sign: int


def group_key(total: Total) -> str:
    """Return what a cell is summed by in a roll-up, as text."""
    fields: GroupKey = (
        total.model,
        total.api_key,
        total.team,
        total.project,
        total.location,
        total.labels.get(KEY_LABEL, ""),
    )
    return msgspec.json.encode(fields).decode()


def rolled_up(day: str, key: str, quarters: dict[str, int], unpriced_rows: int) -> Cell:
    """Return the cell of a roll-up.

    Args:
        day: UTC day, ``2026-11-22``.
        key: As `group_key` has it.
        quarters: nano-USD by quarter of an hour.
        unpriced_rows: As in Cell.
    """
    model, api_key, team, project, location, key_id = msgspec.json.decode(key, type=GroupKey)
    return Cell(
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


def of_month(month: str, key: str, amount_nano: int, unpriced_rows: int) -> Cell:
    """Return the cell of a month's roll-up, on the middle of that month (``2026-11``)."""
    return rolled_up(month + _MIDDLE, key, {"0": amount_nano}, unpriced_rows)


def edges(month: Span) -> Iterator[Edge]:
    """Find what a month of a time zone has and UTC's month of the same name has not, and the other way round.

    Args:
        month: A whole month.
    """
    start, end = (time.replace(tzinfo=UTC) for time in month)
    for own, utc, sign in ((month.start, start, 1), (month.end, end, -1)):
        if own < utc:
            yield Edge(Span(own, utc), sign)
        elif utc < own:
            yield Edge(Span(utc, own), -sign)


def cut(cells: Iterable[Cell], span: Span) -> Iterator[Cell]:
    """Keep what was spent within a span of those cells that have any of it."""
    for cell in cells:
        midnight = datetime.fromisoformat(cell.day).replace(tzinfo=UTC)
        kept = {
            quarter: amount
            for quarter, amount in cell.quarters.items()
            if span.start <= midnight + int(quarter) * QUARTER < span.end
        }
        if kept:
            yield msgspec.structs.replace(cell, quarters=kept)


def moved(cell: Cell, month: str, sign: int) -> Cell:
    """Return what an edge's cell adds to a month, or takes away from it."""
    return msgspec.structs.replace(
        cell,
        day=month + _MIDDLE,
        quarters={"0": sign * sum(cell.quarters.values())},
        unpriced_rows=max(0, sign * cell.unpriced_rows),
    )


def days_of(span: Span) -> tuple[str, str]:
    """Return the first and the last UTC day of a span."""
    last = span.end.astimezone(UTC) - timedelta.resolution
    return span.start.astimezone(UTC).date().isoformat(), last.date().isoformat()
