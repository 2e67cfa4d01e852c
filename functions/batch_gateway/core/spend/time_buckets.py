"""Spans of time that spend is summed over: hours, days and months, in a time zone that is an offset."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple

QUARTER = timedelta(minutes=15)
"""What the totals are kept by. Every time zone in use is a whole number of them from UTC."""
WIDTHS = ("1h", "1d", "1mo")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OFFSET = re.compile(r"([+-])([0-9]{2}):(00|15|30|45)")
_FURTHEST = (timedelta(hours=-12), timedelta(hours=14))
"""Offsets of the Earth's westernmost and easternmost time zones."""
_DECEMBER = 12


class Span(NamedTuple):
    """A bucket of time, or as much of it as was asked for.

    Attributes:
        start: From when on; in the time zone that was asked for.
        end: Until when; that moment is the next one's.
    """

    start: datetime
    end: datetime


class Calendar(NamedTuple):
    """How time is cut.

    Attributes:
        width: One of WIDTHS.
        zone: Decides where hours, days and months begin.
    """

    width: str
    zone: timezone

    def floor(self, time: datetime) -> datetime:
        """When the bucket began that a time is in."""
        local = time.astimezone(self.zone).replace(minute=0, second=0, microsecond=0)
        if self.width != "1h":
            local = local.replace(hour=0)
        return local.replace(day=1) if self.width == "1mo" else local

    def spans(self, start: datetime, end: datetime) -> Iterator[Span]:
        """The buckets from one time to another; the first and the last may be cut short."""
        at = start.astimezone(self.zone)
        while at < end:
            following = self._after(self.floor(at))
            yield Span(at, min(following, end.astimezone(self.zone)))
            at = following

    def is_whole(self, span: Span) -> bool:
        """Whether a bucket is not cut short."""
        return self.floor(span.start) == span.start and self._after(span.start) == span.end

    def _after(self, start: datetime) -> datetime:
        if self.width == "1h":
            return start + timedelta(hours=1)
        if self.width == "1d":
            return start + timedelta(days=1)
        years, month = divmod(start.month, _DECEMBER)
        return start.replace(year=start.year + years, month=month + 1)


def parse_offset(text: str) -> timezone | None:
    """A time zone written as its offset: ``+05:30``, ``-08:00``, ``Z`` or ``UTC``; None if it is none."""
    if text in {"Z", "UTC"}:
        return UTC
    match = _OFFSET.fullmatch(text)
    if match is None:
        return None
    ahead = timedelta(hours=int(match[2]), minutes=int(match[3]))
    offset = ahead if match[1] == "+" else -ahead
    return timezone(offset) if _FURTHEST[0] <= offset <= _FURTHEST[1] else None


def floor_to_quarter(time: datetime) -> datetime:
    """When the quarter of an hour began that a time is in."""
    return _EPOCH + (time - _EPOCH) // QUARTER * QUARTER


def ceil_to_quarter(time: datetime) -> datetime:
    """The first full quarter of an hour at or after a time."""
    return _EPOCH - (_EPOCH - time) // QUARTER * QUARTER


def quarter_of(time: datetime) -> int:
    """The number of a time's quarter of an hour in its day, from 0 to 95."""
    return time.hour * 4 + time.minute // 15
