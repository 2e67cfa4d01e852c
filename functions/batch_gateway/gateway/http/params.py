"""Parse the query parameters that several endpoints share: numbers, times and values to search for."""

import re
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta

from werkzeug.wrappers import Request

from batch_gateway.core.errors import ApiError
from batch_gateway.core.jobs.record import parse_time

_KEY = "key"
"""Google's clients may send the API key as this parameter; authentication has read it."""
_MAX_VALUE_BYTES = 1_024
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(9999, 1, 1, tzinfo=UTC)
_SECONDS = re.compile(r"[0-9]{1,7}|[0-9]{9,11}")
"""Seconds up to the year 5138. Eight digits are a day, such as 20261122, since nobody means one of 1973."""
_LOST_PLUS = re.compile(r"(?<=[0-9]) (?=[0-9]{2}:[0-9]{2}$)")
"""The space that a query string makes of the plus in ``…T00:00:00+05:30`` if it is not written as %2B."""


def invalid(problem: str, hint: str = "See /openapi.json.") -> ApiError:
    """Return the error for an invalid parameter or field of a body.

    Args:
        problem: What is wrong, beginning with its name, without a full stop.
        hint: A sentence on what to do.
    """
    return ApiError("INVALID_ARGUMENT", "FIELD_INVALID", f"Invalid request: {problem}. {hint}")


def check_names(request: Request, known: AbstractSet[str]) -> None:
    """Reject parameters that are unknown or repeated: they might mean something that would not be done.

    Raises:
        ApiError: There is one; the message lists those that there are.
    """
    for name, values in request.args.lists():
        if name not in known | {_KEY}:
            there_are = f"there are {', '.join(sorted(known))}" if known else "this call has none"
            raise invalid(f"{name[:80]}: is unknown; {there_are}")
        if len(values) > 1:
            raise invalid(f"{name}: must be given once only")


def number(request: Request, name: str, default: int, most: int) -> int:
    """Return a number from 1 to ``most``; the default if the parameter is absent.

    Raises:
        ApiError: It is not such a number.
    """
    text = request.args.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > len(str(most)) or not 1 <= int(text) <= most:
        raise invalid(f"{name}: must be a number from 1 to {most}")
    return int(text)


def validate_only(request: Request) -> bool:
    """Return whether a call asks for an estimate and submits nothing: ``validateOnly`` is ``true``.

    Google's APIs take names of parameters in both spellings, and a parameter that is not understood must not
    submit a job.

    Raises:
        ApiError: It is neither ``true`` nor ``false``, or given twice.
    """
    values = [value for name in ("validateOnly", "validate_only") for value in request.args.getlist(name)]
    if not values:
        return False
    if len(values) > 1 or values[0].lower() not in {"true", "false"}:
        raise invalid("validateOnly: must be true or false, and given only once; nothing was submitted")
    return values[0].lower() == "true"


def time(request: Request, name: str) -> datetime | None:
    """Parse a time: Unix seconds, as OpenAI's clients write them, RFC 3339 or a day; None if it is absent.

    Raises:
        ApiError: It is neither, or before 1970.
    """
    text = request.args.get(name)
    if text is None:
        return None
    found = (
        _EARLIEST + timedelta(seconds=int(text))
        if text.isascii() and _SECONDS.fullmatch(text)
        else parse_time(_LOST_PLUS.sub("+", text) if "T" in text else text)
    )
    if found is None or not _EARLIEST <= found <= _LATEST:
        raise invalid(
            f"{name}: must be Unix seconds or an RFC 3339 time from 1970 on, such as 2026-11-22T00:00:00Z"
        )
    return found


def check_value(name: str, value: str) -> str:
    """Return a value that records are searched by, unchanged.

    Raises:
        ApiError: It is longer than Firestore can search for.
    """
    if len(value.encode(errors="surrogatepass")) > _MAX_VALUE_BYTES:
        raise invalid(f"{name}: must not be longer than {_MAX_VALUE_BYTES} bytes")
    return value
