"""Durations as LiteLLM writes them: ``30s``, ``15m``, ``24h``, ``7d``, ``2w``, ``1mo``."""

import calendar
import re
from datetime import datetime, timedelta

DURATION = re.compile(r"([1-9][0-9]{0,5})(s|m|h|d|w|mo)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_MONTHS_A_YEAR = 12
_MOST_MONTHS = 1200
_MOST_SECONDS = 36_525 * 86_400
"""A hundred years."""


def add_duration(start: datetime, duration: str) -> datetime:
    """Return the time that is a duration after a start; a month never ends later than its last day.

    Raises:
        ValueError: The duration is malformed, or longer than a hundred years.
    """
    match = DURATION.fullmatch(duration)
    if match is None:
        raise ValueError(
            f"{duration!r} is not a duration: write a number and s, m, h, d, w or mo, such as 30d"
        )
    count, unit = int(match[1]), match[2]
    if unit == "mo":
        end = _add_months(start, count) if count <= _MOST_MONTHS else None
    else:
        seconds = count * _SECONDS[unit]
        end = start + timedelta(seconds=seconds) if seconds <= _MOST_SECONDS else None
    if end is None:
        raise ValueError(f"{duration!r} is too long: at most a hundred years, such as 36500d or 1200mo")
    return end


def _add_months(start: datetime, count: int) -> datetime:
    years, month = divmod(start.month - 1 + count, _MONTHS_A_YEAR)
    year, month = start.year + years, month + 1
    last_day = calendar.monthrange(year, month)[1]
    return start.replace(year=year, month=month, day=min(start.day, last_day))


def months_of(duration: str) -> int:
    """Return the number of calendar months in a duration; 0 if it is not in months."""
    match = DURATION.fullmatch(duration)
    return int(match[1]) if match and match[2] == "mo" else 0


def whole_days_of(duration: str) -> int:
    """Return the number of days in a duration; 0 if it is not a number of whole days."""
    match = DURATION.fullmatch(duration)
    if match is None or match[2] == "mo":
        return 0
    days, rest = divmod(int(match[1]) * _SECONDS[match[2]], _SECONDS["d"])
    return 0 if rest else days
