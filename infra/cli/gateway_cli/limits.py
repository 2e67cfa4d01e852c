"""Options and columns that keys and teams share: limits, budgets and status."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from gateway_cli import money, times
from gateway_cli.cells import DRAWN, Column, Kind
from gateway_cli.errors import UsageError
from gateway_cli.options import members, pair, positive
from gateway_cli.printing import Printer

_LISTS = {
    "--model": ("models", "MODEL", "a model that may be used, such as 'gemini-3.5-*'"),
    "--project": ("projects", "PROJECT", "a project that may be used"),
    "--location": ("locations", "LOCATION", "a location that may be used"),
    "--uri-prefix": (
        "allowed_uri_prefixes",
        "URI",
        "where jobs may read and write: gs://BUCKET/PATH, bq://PROJECT.DATASET",
    ),
}
_CLEARABLE = {
    **{option.removeprefix("--"): field for option, (field, _, _) in _LISTS.items()},
    **{
        field.replace("_", "-"): field
        for field in ("rpm_limit", "max_budget", "soft_budget", "budget_duration", "metadata")
    },
    "default-label": "default_labels",
    "required-label": "required_labels",
}


def add(parser: ArgumentParser) -> None:
    """Add the options for limits and budgets."""
    limits = parser.add_argument_group(
        "limits", "Lists are given one by one: --model a --model b. Without any: all."
    )
    for option, (field, metavar, what) in _LISTS.items():
        limits.add_argument(option, dest=field, action="append", metavar=metavar, help=what)
    limits.add_argument("--rpm-limit", type=positive, metavar="N", help="requests a minute")
    limits.add_argument(
        "--max-budget",
        metavar="USD",
        help="most that may be spent in a window; creates beyond it are refused",
    )
    limits.add_argument("--soft-budget", metavar="USD", help="warn above this amount")
    limits.add_argument(
        "--budget-duration",
        metavar="TIME",
        help="the budget's window: 24h, 7d, 1mo (a calendar month in UTC)",
    )
    limits.add_argument(
        "--metadata", action="append", type=pair, metavar="NAME=VALUE", help="any information to keep with it"
    )
    limits.add_argument(
        "--default-label",
        dest="default_labels",
        action="append",
        type=pair,
        metavar="NAME=VALUE",
        help="a label that jobs get if they have none of the name",
    )
    limits.add_argument(
        "--required-label",
        dest="required_labels",
        action="append",
        metavar="NAME",
        help="a label that jobs must have",
    )


def add_clear(parser: ArgumentParser, further: dict[str, str]) -> None:
    """Add ``--clear``, which removes limits; ``further`` has more names with their fields."""
    names = {**_CLEARABLE, **further}
    parser.add_argument(
        "--clear",
        action="append",
        choices=sorted(names),
        metavar="LIMIT",
        default=[],
        help=f"remove a limit: {', '.join(sorted(names))}",
    )
    parser.set_defaults(clearable=names)


def body_of(args: Namespace) -> dict[str, Any]:
    """Return the given limits, as the API takes them.

    Raises:
        UsageError: A budget is invalid, or a limit is both set and removed.
    """
    fields = [field for field, _, _ in _LISTS.values()]
    body = {name: getattr(args, name) for name in (*fields, "rpm_limit", "budget_duration")}
    body |= {
        name: None if (given := getattr(args, name)) is None else money.budget(given)
        for name in ("max_budget", "soft_budget")
    }
    body["required_labels"] = args.required_labels
    body |= {
        name: members(pairs, option) if (pairs := getattr(args, name)) else None
        for name, option in (("metadata", "--metadata"), ("default_labels", "--default-label"))
    }
    body = {name: value for name, value in body.items() if value is not None}
    for name in getattr(args, "clear", ()):
        field = args.clearable[name]
        if field in body or getattr(args, field, None) is not None:
            raise UsageError(f"--clear {name}: another option sets it.")
        body[field] = None
    return body


def status(holder: dict[str, Any], now: datetime) -> str:
    """Return whether a key or team is active, and if not, why."""
    ends = times.read(holder.get("expires"))
    if holder["blocked"]:
        return "disabled"
    return "expired" if ends and ends <= now else "active"


def status_column(now: datetime) -> Column:
    """Return a column with the status of a key or team."""
    colours = {"active": "green", "disabled": "red", "expired": "yellow"}
    return Column("status", lambda each: status(each, now), style=lambda each: colours[status(each, now)])


def changed(columns: Sequence[Column], body: Mapping[str, Any], out: Printer) -> Sequence[Column]:
    """Return the columns that a table has after a change: name, status, and what was changed."""
    fields = {_TITLES.get(field, field) for field in body}
    return [
        column
        for number, column in enumerate(columns)
        if out.form != "table" or not number or column.name == "status" or column.name in fields
    ]


def given(columns: Sequence[Column], made: dict[str, Any], out: Printer) -> Sequence[Column]:
    """Return the columns that a table has of a new key or team: those with a value that somebody chose."""
    return [
        column
        for column in columns
        if out.form != "table"
        or (column.name not in _UNCHOSEN and column.kind not in DRAWN and column.value(made) not in _EMPTY)
    ]


_TITLES = {"key_alias": "alias", "team_id": "team", "team_alias": "name", "duration": "expires"}
"""Names of columns that differ from the field's."""
_UNCHOSEN = {
    "status",
    "spend",
    "reserved",
    "created_at",
    "created_by",
    "updated_at",
    "token",
    "budget_reset_at",
}
_EMPTY: tuple[Any, ...] = (None, "", [], {}, "all")


# A gateway that does not count spend against budgets leaves spend and reserved out.
SPENT = (
    Column("spend", lambda each: each.get("spend"), Kind.MONEY),
    Column("max_budget", lambda each: each["max_budget"], Kind.MONEY),
    Column("used", lambda each: (each.get("spend"), each["max_budget"]), Kind.SHARE, spare=3),
    Column("budget_duration", lambda each: each["budget_duration"], spare=4),
)
BUDGET = (
    *SPENT[:2],
    Column("reserved", lambda each: each.get("reserved"), Kind.MONEY),
    Column("soft_budget", lambda each: each["soft_budget"], Kind.MONEY),
    *SPENT[2:],
    Column("budget_reset_at", lambda each: each.get("budget_reset_at"), Kind.TIME),
)
GRANT = (
    *(
        Column(field, lambda each, field=field: each[field] or "all")  # type: ignore[misc]
        for field, _, _ in _LISTS.values()
    ),
    Column("rpm_limit", lambda each: each["rpm_limit"], Kind.NUMBER),
)
REST = (
    Column("default_labels", lambda each: each["default_labels"]),
    Column("required_labels", lambda each: each["required_labels"]),
    Column("metadata", lambda each: each["metadata"]),
    Column("created_at", lambda each: each["created_at"], Kind.TIME),
    Column("updated_at", lambda each: each["updated_at"], Kind.TIME),
)
