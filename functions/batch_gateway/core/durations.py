"""Durations as LiteLLM writes them: ``30s``, ``15m``, ``24h``, ``7d``, ``2w``, ``1mo``."""

import calendar
import re
from datetime import datetime, timedelta

_DURATION = re.compile(r"([1-9][0-9]{0,5})(s|m|h|d|w|mo)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_MONTHS_A_YEAR = 12


def add_duration(start: datetime, duration: str) -> datetime:
    """The time a duration after a start; months end no later than the month does.

    Raises:
        ValueError: The duration is not of that form, or leads beyond the calendar.
    """
    match = _DURATION.fullmatch(duration)
    if match is None:
        raise ValueError(f"{duration!r} is no duration: write a number and s, m, h, d, w or mo, such as 30d")
    count, unit = int(match[1]), match[2]
    try:
        if unit != "mo":
            return start + timedelta(seconds=count * _SECONDS[unit])
        years, month = divmod(start.month - 1 + count, _MONTHS_A_YEAR)
        year, month = start.year + years, month + 1
        last_day = calendar.monthrange(year, month)[1]
        return start.replace(year=year, month=month, day=min(start.day, last_day))
    except (OverflowError, ValueError) as error:
        raise ValueError(f"{duration!r} leads beyond the calendar") from error


def months_of(duration: str) -> int:
    """How many calendar months a duration is; 0 if it is none of months."""
    match = _DURATION.fullmatch(duration)
    return int(match[1]) if match and match[2] == "mo" else 0


def whole_days_of(duration: str) -> int:
    """How many days a duration is; 0 if it is not a number of whole days."""
    match = _DURATION.fullmatch(duration)
    if match is None or match[2] == "mo":
        return 0
    days, rest = divmod(int(match[1]) * _SECONDS[match[2]], _SECONDS["d"])
    return 0 if rest else days
