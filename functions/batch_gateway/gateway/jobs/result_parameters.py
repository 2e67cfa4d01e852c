"""Parse and check the parameters of results."""

from typing import NamedTuple

from werkzeug.wrappers import Request

from batch_gateway.core.rows.row_results import STATES
from batch_gateway.gateway.http import forwarding, params

_ONCE = {"view": ("full", "usage"), "format": ("jsonl", "csv")}
_NAMES = (*_ONCE, "state", "limit")
_IGNORED = {"key", "parent"} | forwarding.SYSTEM_PARAMETERS
"""Parameters of every call: authentication and routing have read them, or they change nothing."""
_MOST_ROWS = 10**12


class ResultQuery(NamedTuple):
    """The parameters of a request for results.

    Attributes:
        by_usage: Whether a description of each row is wanted instead of the row itself.
        as_csv: Whether it is wanted as CSV.
        states: States of rows to keep; all if it is empty.
        limit: Most rows to return; None for all.
    """

    by_usage: bool
    as_csv: bool
    states: frozenset[str]
    limit: int | None

    @property
    def is_raw(self) -> bool:
        """True if the output is wanted as it is, so that its rows need not be told apart."""
        return not (self.by_usage or self.states or self.limit)


def parse(request: Request) -> ResultQuery:
    """Parse a request's parameters.

    Raises:
        ApiError: INVALID_ARGUMENT; the message says what is valid.
    """
    for name in request.args:
        if name not in _NAMES and name.removeprefix("$") not in _IGNORED:
            raise params.invalid(f"{name}: unknown parameter. The parameters are {', '.join(_NAMES)}")
        if name in _NAMES and name != "state" and len(request.args.getlist(name)) > 1:
            raise params.invalid(f"{name}: must be given only once")
    chosen = {name: _choice(request, name, allowed) for name, allowed in _ONCE.items()}
    by_usage, as_csv = chosen["view"] == "usage", chosen["format"] == "csv"
    if as_csv and not by_usage:
        raise params.invalid("format: csv has the columns of view=usage. Add view=usage, or leave out format")
    states = frozenset(request.args.getlist("state"))
    for state in sorted(states - set(STATES)):
        raise params.invalid(f"state: {state!r} is not one of {', '.join(STATES)}")
    limit = params.number(request, "limit", 0, _MOST_ROWS) or None
    return ResultQuery(by_usage, as_csv, states, limit)


def _choice(request: Request, name: str, allowed: tuple[str, ...]) -> str:
    value = request.args.get(name, allowed[0])
    if value not in allowed:
        raise params.invalid(f"{name}: must be {' or '.join(allowed)}")
    return value
