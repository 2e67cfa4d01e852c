"""What a call for spend asks: its parameters, checked one by one.

A parameter that is not known is refused: it might be a filter that would not be applied.
"""

from collections.abc import Set as AbstractSet
from datetime import datetime, timezone

import msgspec
from werkzeug.wrappers import Request

from batch_gateway.core.access.callers import Caller
from batch_gateway.core.jobs.labels import KEY_LABEL
from batch_gateway.core.spend.entries import (
    GROUP_FIELDS,
    JOB,
    LABEL,
    Filter,
    is_field,
    needs_labels,
)
from batch_gateway.core.spend.time_buckets import (
    Span,
    ceil_to_quarter,
    floor_to_quarter,
    parse_offset,
)
from batch_gateway.gateway.http import params

_MOST_FIELDS = 10
"""Of group_by, and of filters."""
_LONGEST_LABEL = 128
"""Bytes of a label's name ("Requirements for labels" of Resource Manager: 63 characters)."""
_KEY = "key"
"""Google's clients may send their key so; it was read before."""


class SpendQuery(msgspec.Struct, frozen=True):
    """A call's parameters.

    Attributes:
        span: From when until when, cut at quarters of an hour.
        zone: Decides where days and months begin.
        group_by: Fields.
        filters: What the caller wants to see and what the caller may see.
        open_end: No end was given: until now.
    """

    span: Span
    zone: timezone
    group_by: tuple[str, ...]
    filters: tuple[Filter, ...]
    open_end: bool

    @property
    def of_jobs(self) -> bool:
        """Whether totals are not enough to answer it."""
        return JOB in self.group_by or any(field == JOB for field, _ in self.filters)

    @property
    def is_rolled_up(self) -> bool:
        """Whether totals without labels are enough to answer it."""
        return not self.of_jobs and not needs_labels([*self.group_by, *(field for field, _ in self.filters)])


def parse(request: Request, caller: Caller, now: datetime, further: AbstractSet[str]) -> SpendQuery:
    """The parameters of a call.

    Args:
        request: The call.
        caller: Who may see only so much.
        now: Until when, if the call does not say.
        further: Names of parameters that are looked at elsewhere.

    Raises:
        ApiError: INVALID_ARGUMENT; the message says what is right.
    """
    own = {"start_time", "end_time", "group_by", "time_zone"}
    for name in request.args:
        if name not in own | further | {_KEY} and not is_field(name):
            raise params.invalid(
                f"{name}: there is no such parameter. There are {', '.join(sorted(own | further))}, and the "
                f"filters {_fields()}"
            )
        if name in own | further and name != "group_by" and len(request.args.getlist(name)) > 1:
            raise params.invalid(f"{name}: is given twice")
    start = params.time(request, "start_time")
    if start is None:
        raise params.invalid(
            "start_time: must be given, in Unix seconds or as RFC 3339, such as 2026-11-22T00:00:00Z"
        )
    end = params.time(request, "end_time")
    span = Span(floor_to_quarter(start), ceil_to_quarter(end or now))
    if start >= (end or now):
        raise params.invalid(
            f"end_time: must be later than start_time{'' if end else ', which is in the future'}"
        )
    return SpendQuery(span, _zone(request), _group_by(request), _filters(request, caller), end is None)


def _fields() -> str:
    return f"{', '.join(GROUP_FIELDS)}, {LABEL}NAME and {JOB}"


def _zone(request: Request) -> timezone:
    text = request.args.get("time_zone", "Z")
    # A plus that is not written as %2B comes as a space.
    zone = parse_offset(f"+{text[1:]}" if text.startswith(" ") else text)
    if zone is None:
        raise params.invalid(
            "time_zone: must be an offset from UTC in quarters of an hour, from -12:00 to +14:00, such as "
            "+05:30; names of zones are not taken"
        )
    return zone


def _group_by(request: Request) -> tuple[str, ...]:
    fields = [field for text in request.args.getlist("group_by") for field in text.split(",") if field]
    for field in fields:
        if not is_field(field):
            raise params.invalid(f"group_by: {field!r} is none of {_fields()}")
    _check_fields("group_by", set(fields))
    return tuple(dict.fromkeys(fields))


def _check_fields(what: str, fields: AbstractSet[str]) -> None:
    if len(fields) > _MOST_FIELDS:
        raise params.invalid(f"{what}: must not name more than {_MOST_FIELDS} fields")
    for field in fields:
        if len(field.removeprefix(LABEL).encode()) > _LONGEST_LABEL:
            raise params.invalid(f"{what}: a label's name must not have more than {_LONGEST_LABEL} bytes")


def _filters(request: Request, caller: Caller) -> tuple[Filter, ...]:
    wanted = [
        (name, frozenset(params.check_value(name, value) for value in request.args.getlist(name)))
        for name in dict.fromkeys(request.args)
        if is_field(name)
    ]
    _check_fields("filters", {name for name, _ in wanted})
    return (*wanted, *_scope(caller))


def _scope(caller: Caller) -> list[Filter]:
    """What a key may see: its team's spend, or that of the jobs that carry its id, as with jobs themselves.

    An alias would not do: it can be given to another key once it is free.
    """
    if caller.is_admin:
        return []
    if caller.team:
        return [("team", frozenset({caller.team}))]
    return [(f"{LABEL}{KEY_LABEL}", frozenset({caller.key_id or ""}))]
