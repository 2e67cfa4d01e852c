"""Cut time into the hours, days and months that spend is summed over, in a time zone given by its offset."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple

QUARTER = timedelta(minutes=15)
"""Resolution of the totals. Every time zone in use is a whole number of quarters from UTC."""
WIDTHS = ("1h", "1d", "1mo")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OFFSET = re.compile(r"([+-])([0-9]{2}):(00|15|30|45)")
_FURTHEST = (timedelta(hours=-12), timedelta(hours=14))
"""Offsets of the Earth's westernmost and easternmost time zones."""
_DECEMBER = 12


class Span(NamedTuple):
    """A bucket of time, or the part of it that was asked for.

    Attributes:
        start: Its beginning, in the time zone that was asked for.
        end: Its end, which belongs to the next bucket.
    """

    start: datetime
    end: datetime


class Calendar(NamedTuple):
    """The buckets of time: their width and time zone.

    Attributes:
        width: One of WIDTHS.
        zone: Decides when hours, days and months begin.
    """

    width: str
    zone: timezone

    def floor(self, time: datetime) -> datetime:
        """Return the start of the bucket that contains a time."""
        local = time.astimezone(self.zone).replace(minute=0, second=0, microsecond=0)
        if self.width != "1h":
            local = local.replace(hour=0)
        return local.replace(day=1) if self.width == "1mo" else local

    def spans(self, start: datetime, end: datetime) -> Iterator[Span]:
        """Yield the buckets from one time to another; the first and the last may be cut short."""
        at = start.astimezone(self.zone)
        while at < end:
            following = self._after(self.floor(at))
            yield Span(at, min(following, end.astimezone(self.zone)))
            at = following

    def is_whole(self, span: Span) -> bool:
        """Return True if a bucket is not cut short."""
        return self.floor(span.start) == span.start and self._after(span.start) == span.end

    def _after(self, start: datetime) -> datetime:
        if self.width == "1h":
            return start + timedelta(hours=1)
        if self.width == "1d":
            return start + timedelta(days=1)
        years, month = divmod(start.month, _DECEMBER)
        return start.replace(year=start.year + years, month=month + 1)


def parse_offset(text: str) -> timezone | None:
    """Parse a time zone's offset: ``+05:30``, ``-08:00``, ``Z`` or ``UTC``; return None if it is not one."""
    if text in {"Z", "UTC"}:
        return UTC
    match = _OFFSET.fullmatch(text)
    if match is None:
        return None
    ahead = timedelta(hours=int(match[2]), minutes=int(match[3]))
    offset = ahead if match[1] == "+" else -ahead
    return timezone(offset) if _FURTHEST[0] <= offset <= _FURTHEST[1] else None


def floor_to_quarter(time: datetime) -> datetime:
    """Return the start of the quarter of an hour that contains a time."""
    return _EPOCH + (time - _EPOCH) // QUARTER * QUARTER


def ceil_to_quarter(time: datetime) -> datetime:
    """Return the first start of a quarter of an hour at or after a time."""
    return _EPOCH - (_EPOCH - time) // QUARTER * QUARTER


def quarter_of(time: datetime) -> int:
    """Return the number of a time's quarter of an hour in its day, from 0 to 95."""
    return time.hour * 4 + time.minute // 15
