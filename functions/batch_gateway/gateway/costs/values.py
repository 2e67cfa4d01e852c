"""List the values that spend can be filtered by (``GET /v1/costs:values``)."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Literal

import msgspec
from werkzeug.wrappers import Request, Response

from batch_gateway.core.access.callers import Caller
from batch_gateway.core.accounting import rollups
from batch_gateway.core.jobs.labels import OURS
from batch_gateway.core.spend.entries import (
    GROUP_FIELDS,
    Entry,
    entries_of_totals,
    equalities,
    filter_entries,
)
from batch_gateway.gateway.costs import parameters
from batch_gateway.gateway.http import params, responses
from batch_gateway.ports import Store

_MOST_ENTRIES = 20_000
"""Totals that are read for an answer."""
_MOST_VALUES = 200
"""Values of a field, and names of labels, in an answer."""


class FilterValues:
    """Handler of lists of values."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now

    def list(self, request: Request, caller: Caller) -> Response:
        """Return the values of each field and label that the caller's spend in a span of time has.

        ``complete`` is false if there are more than one answer can hold.

        Raises:
            ApiError: INVALID_ARGUMENT; the message names the parameter.
            StoreUnavailableError: Firestore does not answer.
        """
        for name in ("group_by", "time_zone"):
            if name in request.args:
                raise params.invalid(f"{name}: has no meaning for a list of values; leave it out")
        query = parameters.parse(request, caller, self._now(), frozenset())
        if query.of_jobs:
            raise params.invalid("job: values are listed from totals, which have no jobs; leave it out")
        totals = self._store.list_totals(*rollups.days_of(query.span), equalities(query.filters))
        return responses.json(_values(filter_entries(entries_of_totals(totals), query.filters)))


class CostValues(msgspec.Struct, frozen=True, kw_only=True):
    """The values that spend can be filtered by.

    Attributes:
        labels: Values by the label's name.
        complete: False if there are more values than are listed.
    """

    object: Literal["values"] = "values"
    model: list[str]
    team: list[str]
    api_key: list[str]
    project: list[str]
    location: list[str]
    labels: dict[str, list[str]]
    complete: bool


def _values(entries: Iterator[Entry]) -> CostValues:
    fields: dict[str, set[str]] = {name: set() for name in GROUP_FIELDS}
    labels: dict[str, set[str]] = defaultdict(set)
    for entry in islice(entries, _MOST_ENTRIES):
        for name, values in fields.items():
            values.add(getattr(entry.total, name))
        for name, value in entry.total.labels.items():
            if name not in OURS:
                labels[name].add(value)
    return CostValues(
        model=_shown(fields["model"]),
        team=_shown(fields["team"]),
        api_key=_shown(fields["api_key"]),
        project=_shown(fields["project"]),
        location=_shown(fields["location"]),
        labels={name: _shown(labels[name]) for name in _shown(labels)},
        complete=next(entries, None) is None
        and all(
            len({*values} - {""}) <= _MOST_VALUES for values in (labels, *labels.values(), *fields.values())
        ),
    )


def _shown(values: Iterable[str]) -> list[str]:
    return sorted(filter(None, values))[:_MOST_VALUES]
