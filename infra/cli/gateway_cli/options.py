"""Options that several commands share."""

import argparse
import re
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any

from gateway_cli import times
from gateway_cli.declaring import Context
from gateway_cli.errors import UsageError

if TYPE_CHECKING:
    from gateway_cli.client import Client

_GS_PREFIX = re.compile(r"gs://[^/\s]+(/\S*)?")


def add_yes(parser: ArgumentParser) -> None:
    """Add ``--yes``, for commands that ask first."""
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")


def add_place(parser: ArgumentParser) -> None:
    """Add ``--project`` and ``--location`` of a job that is to run."""
    for name in ("project", "location"):
        parser.add_argument(
            f"--{name}",
            metavar=name.upper(),
            help=f"{name} in which it runs; else GOOGLE_CLOUD_{name.upper()}, else the profile's, else the "
            "only one that the gateway serves",
        )


def add_span(
    parser: ArgumentParser, since: str | None, *, until: str = "now", required: bool = False
) -> None:
    """Add ``--since`` and ``--until``, also as ``--from`` and ``--to``.

    Args:
        parser: The command's.
        since: Default of ``--since``.
        until: What the gateway takes if there is no ``--until``, for the help.
        required: Whether both must be given.
    """
    default = f" (default: {since})" if since else ""
    parser.add_argument(
        "--since",
        "--from",
        metavar="TIME",
        default=since,
        required=required,
        help=f"beginning of the time span{default}",
    )
    parser.add_argument(
        "--until",
        "--to",
        metavar="TIME",
        required=required,
        help="end of the time span" + ("" if required else f" (default: {until})"),
    )


def span_of(
    context: Context, args: Namespace, zone: tzinfo | None = None
) -> tuple[datetime | None, datetime | None]:
    """Return begin and end of the span; None where it is open.

    Raises:
        UsageError: It ends before it begins.
    """
    zone = zone or context.zone
    since, until = (
        # An empty text, such as of a variable that is not set, is no time, and does not mean all of time.
        None if text is None else times.parse(text, context.now, zone)
        for text in (args.since, args.until)
    )
    if since and until and until <= since:
        raise UsageError(f"--until {args.until} is not later than --since {args.since}.")
    return since, until


def add_filters(parser: ArgumentParser) -> None:
    """Add filters of jobs and spend. If a filter is given twice, either value matches."""
    filters = parser.add_argument_group("filters", "Given twice, either value will do.")
    for option, metavar, what in (
        ("--model", "MODEL", "short name, such as gemini-3.5-flash"),
        ("--team", "TEAM", "id of a team"),
        ("--key", "ALIAS", "alias of the key that made the job"),
        ("--project", "PROJECT", "id of a project"),
        ("--location", "LOCATION", "such as global or us-central1"),
    ):
        filters.add_argument(option, action="append", metavar=metavar, help=what)
    filters.add_argument("--label", action="append", type=pair, metavar="NAME=VALUE", help="label of the job")


def filters_of(args: Namespace) -> dict[str, list[str] | None]:
    """Return the filters, as the API takes them."""
    query = {
        "model": args.model,
        "team": args.team,
        "api_key": args.key,
        "project": args.project,
        "location": args.location,
    }
    for name, value in args.label or ():
        query.setdefault(f"label:{name}", []).append(value)
    return query


def pair(text: str) -> tuple[str, str]:
    """Parse ``NAME=VALUE``."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    return name, value


def members(pairs: Iterable[tuple[str, str]], option: str) -> dict[str, str]:
    """Return the values of an option that is given as ``NAME=VALUE``, by name.

    Raises:
        UsageError: A name is given twice, and one of its values would be lost.
    """
    found: dict[str, str] = {}
    for name, value in pairs:
        if found.setdefault(name, value) != value:
            raise UsageError(f"{option} {name} is given twice: {found[name]!r} and {value!r}.")
    return found


def gs_prefix(text: str) -> str:
    """Parse ``gs://BUCKET/PATH``."""
    if not _GS_PREFIX.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form gs://BUCKET/PATH")
    return text


def positive(text: str) -> int:
    """Parse a number of 1 or more."""
    if not text.isascii() or not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of 1 or more")
    return int(text)


def pages(client: "Client", path: str, query: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the entries of all pages of an answer that names the next one in ``next_page``."""
    token: Any = None
    while True:
        page = client.get(path, {**query, "page": token})
        yield page
        token = page.get("next_page")
        if not token:
            return
