"""Parse and check the parameters of spend reports.

An unknown parameter is rejected: it might be a filter that would not be applied.
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
"""Most fields in group_by, and in filters."""
_LONGEST_LABEL = 128
"""Most bytes in a label's name ("Requirements for labels" of Resource Manager: 63 characters)."""
_KEY = "key"
"""Google's clients may send the API key as this parameter; authentication has read it."""


class SpendQuery(msgspec.Struct, frozen=True):
    """The parameters of a spend report.

    Attributes:
        span: Start and end, rounded outwards to quarters of an hour.
        zone: Time zone in which days and months begin.
        group_by: Fields to group by.
        filters: Filters that the caller asked for, and those for what the caller may see.
        open_end: No end was given, so it is now.
    """

    span: Span
    zone: timezone
    group_by: tuple[str, ...]
    filters: tuple[Filter, ...]
    open_end: bool

    @property
    def of_jobs(self) -> bool:
        """Return whether the report needs single jobs rather than totals."""
        return JOB in self.group_by or any(field == JOB for field, _ in self.filters)

    @property
    def is_rolled_up(self) -> bool:
        """Return whether totals without labels are enough for the report."""
        return not self.of_jobs and not needs_labels([*self.group_by, *(field for field, _ in self.filters)])


def parse(request: Request, caller: Caller, now: datetime, further: AbstractSet[str]) -> SpendQuery:
    """Parse a request's parameters.

    Args:
        request: The request.
        caller: The caller, whose scope is added to the filters.
        now: End of the report if none is given.
        further: Names of parameters that are parsed elsewhere.

    Raises:
        ApiError: INVALID_ARGUMENT; the message says what is valid.
    """
    own = {"start_time", "end_time", "group_by", "time_zone"}
    for name in request.args:
        if name not in own | further | {_KEY} and not is_field(name):
            raise params.invalid(
                f"{name}: unknown parameter. The parameters are {', '.join(sorted(own | further))}, and the "
                f"filters {_fields()}"
            )
        if name in own | further and name != "group_by" and len(request.args.getlist(name)) > 1:
            raise params.invalid(f"{name}: must be given only once")
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
    # A plus that is not written as %2B arrives as a space.
    zone = parse_offset(f"+{text[1:]}" if text.startswith(" ") else text)
    if zone is None:
        raise params.invalid(
            "time_zone: must be an offset from UTC in quarters of an hour, from -12:00 to +14:00, such as "
            "+05:30; names of time zones are not supported"
        )
    return zone


def _group_by(request: Request) -> tuple[str, ...]:
    fields = [field for text in request.args.getlist("group_by") for field in text.split(",") if field]
    for field in fields:
        if not is_field(field):
            raise params.invalid(f"group_by: {field!r} is not one of {_fields()}")
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
    """Return the filters for what a key may see: its team's spend, or that of jobs labelled with its id.

    The rule is the same as for jobs. The alias is not used: another key can have it once it is free.
    """
    if caller.sees_everything:
        return []
    if caller.team:
        return [("team", frozenset({caller.team}))]
    return [(f"{LABEL}{KEY_LABEL}", frozenset({caller.key_id or ""}))]
