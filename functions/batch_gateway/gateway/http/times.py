"""Times in a query: Unix seconds, as OpenAI's clients write them, or RFC 3339."""

import re
from datetime import UTC, datetime, timedelta

from werkzeug.wrappers import Request

from batch_gateway.core.jobs.record import parse_time
from batch_gateway.gateway.admin.bodies import invalid

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(9999, 1, 1, tzinfo=UTC)
_SECONDS = re.compile(r"[0-9]{1,11}")
"""Seconds up to the year 5138."""
_LOST_PLUS = re.compile(r"(?<=[0-9]) (?=[0-9]{2}:[0-9]{2}$)")
"""What a query makes of the plus of ``…T00:00:00+05:30`` if it is not written as %2B."""


def time_in(request: Request, name: str) -> datetime | None:
    """A time out of a query; None if it is not given.

    Raises:
        ApiError: It is none.
    """
    text = request.args.get(name)
    if text is None:
        return None
    time = (
        _EARLIEST + timedelta(seconds=int(text))
        if text.isascii() and _SECONDS.fullmatch(text)
        else parse_time(_LOST_PLUS.sub("+", text) if "T" in text else text)
    )
    if time is None or not _EARLIEST <= time <= _LATEST:
        raise invalid(
            f"{name}: must be Unix seconds or an RFC 3339 time from 1970 on, such as 2026-11-22T00:00:00Z"
        )
    return time
