"""Parse and format times for people."""

import calendar
import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from gateway_cli.errors import UsageError

GRAMMAR = (
    "Times are written as 30d (m, h, d, w, mo: so long ago; days and longer from midnight), today, "
    "yesterday, now, 2026-11-01, 2026-11-01T08:30 or RFC 3339, such as 2026-11-01T08:30:00Z."
)
_AGO = re.compile(r"([1-9][0-9]{0,4})(m|h|d|w|mo)")
_LONG = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_EXACT = {"m", "h"}
_MONTHS = 12


def parse(given: str, now: datetime, zone: tzinfo | None) -> datetime:
    """Parse a time from the command line.

    Args:
        given: What was written.
        now: The present.
        zone: Where days begin and what times without a zone are meant in; None: the machine's.

    Raises:
        UsageError: It is not a time.
    """
    present = now.astimezone(zone).replace(tzinfo=None)
    midnight = present.replace(hour=0, minute=0, second=0, microsecond=0)
    word = given.lower()
    try:
        if word == "now":
            return now.astimezone(UTC)
        if ago := _AGO.fullmatch(word):
            if ago[2] in _EXACT:
                return now.astimezone(UTC) - int(ago[1]) * _LONG[ago[2]]
            return _placed(_days_before(midnight, int(ago[1]), ago[2]), zone)
        if word in {"today", "yesterday"}:
            return _placed(midnight - timedelta(days=int(word == "yesterday")), zone)
        found = datetime.fromisoformat(given)
        return found.astimezone(UTC) if found.tzinfo else _placed(found, zone)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{given!r} is not a time. {GRAMMAR}") from error


def _placed(clock: datetime, zone: tzinfo | None) -> datetime:
    """Return the time of a local clock, also on a day on which clocks change."""
    return (clock.astimezone() if zone is None else clock.replace(tzinfo=zone)).astimezone(UTC)


def _days_before(midnight: datetime, count: int, unit: str) -> datetime:
    if unit != "mo":
        return midnight - count * _LONG[unit]
    year, month = divmod(midnight.year * _MONTHS + midnight.month - 1 - count, _MONTHS)
    last = calendar.monthrange(year, month + 1)[1]
    return midnight.replace(year=year, month=month + 1, day=min(midnight.day, last))


def fixed_zone(now: datetime, *, utc: bool) -> timezone:
    """Return the zone of daily sums: the API takes one offset for a whole call."""
    return UTC if utc else timezone(now.astimezone().utcoffset() or timedelta())


def offset(zone: timezone) -> str:
    """Format a zone's offset for the API, such as ``+05:30``."""
    minutes = int(zone.utcoffset(None).total_seconds()) // 60
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"


def rfc3339(time: datetime) -> str:
    """Format a time for the API."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def read(value: object) -> datetime | None:
    """Parse a time of an answer; None if it is not a time."""
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo else None


def text(value: object, zone: tzinfo | None) -> str:
    """Format a time of an answer, to the second; other text stays unchanged."""
    found = read(value)
    return f"{found.astimezone(zone):%Y-%m-%d %H:%M:%S}" if found else str(value)


def duration(span: timedelta | None) -> str | None:
    """Format a span of time for people, such as ``1 h 05 min``."""
    if span is None:
        return None
    seconds = max(0, round(span.total_seconds()))
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"
