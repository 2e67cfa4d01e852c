"""``vbatch prices``: list what is charged, and set the operator's own prices."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from gateway_cli.cells import Column, Kind
from gateway_cli.declaring import Commands, Context
from gateway_cli.errors import UsageError
from gateway_cli.options import add_yes
from gateway_cli.printing import confirm

_PUBLISHERS = "publishers/"
_EVERYTHING = f"{_PUBLISHERS}-"
_AFTERWARDS = (
    "It replaces an earlier override. Jobs that are settled change by `vbatch reprice` only; "
    "`vbatch reprice --dry-run` shows how."
)


def add(commands: Commands) -> None:
    """Add the commands."""
    prices = commands.group(
        "prices",
        "See what is charged, and set your own prices and discounts.",
        "vbatch prices list --model gemini-3.5-flash\nvbatch prices discount publishers/google 0.07",
    )
    parser = prices.add(
        "list",
        list_prices,
        "List the prices in force, with their source and the next change that is known.",
        "vbatch prices list --model gemini-3.5-flash --location global\n"
        "vbatch prices list --at 2027-01-01 -o csv",
    )
    parser.add_argument("--model", metavar="MODEL", help="only this model")
    parser.add_argument("--location", metavar="LOCATION", help="only this location")
    parser.add_argument("--at", metavar="DAY", help="a day (UTC) or RFC 3339 time (default: now)")

    prices.add(
        "overrides",
        list_overrides,
        "List your own prices and discounts as they were set.",
        "vbatch prices overrides\nvbatch prices overrides -o json",
    )
    parser = prices.add(
        "set",
        set_rates,
        "Set a model's rates.",
        "vbatch prices set gemini-9-flash rates.json\n"
        "vbatch prices set gemini-3.5-flash rates.json --location europe-west4",
        f"The file holds an entry in the form of prices.json. {_AFTERWARDS}",
    )
    parser.add_argument("name", metavar="MODEL", help="as rows name it")
    parser.add_argument("file", metavar="FILE", type=Path, help="JSON")
    _add_location(parser)

    parser = prices.add(
        "discount",
        set_discount,
        "Set a discount on the table's rates.",
        "vbatch prices discount publishers/google 0.07 --from 2026-12-01 --source AGREEMENT-7\n"
        f"vbatch prices discount {_EVERYTHING} 0.03",
        f"On a model, a publisher (publishers/google), or everything ({_EVERYTHING}); the most specific one "
        f"counts. {_AFTERWARDS}",
    )
    parser.add_argument("name", metavar="NAME", help=f"a model, publishers/PUBLISHER or {_EVERYTHING}")
    parser.add_argument("discount", metavar="PART", help="such as 0.07 for 7 %%")
    parser.add_argument(
        "--from",
        dest="start",
        type=_day,
        metavar="DAY",
        help="first day, UTC (default: always); until then, earlier discounts of the same name go on",
    )
    parser.add_argument("--source", metavar="TEXT", help="the page or agreement that says so")
    _add_location(parser)

    parser = prices.add(
        "delete",
        delete,
        "Take an override back.",
        "vbatch prices delete publishers/google\nvbatch prices delete gemini-3.5-flash --location global",
    )
    parser.add_argument("name", metavar="NAME", help=f"a model, publishers/PUBLISHER or {_EVERYTHING}")
    _add_location(parser)
    add_yes(parser)


def _add_location(parser: ArgumentParser) -> None:
    parser.add_argument("--location", metavar="LOCATION", help="only in this location (default: in all)")


def list_prices(context: Context, args: Namespace) -> None:
    """Run ``vbatch prices list``."""
    query = {"model": args.model, "location": args.location, "at": args.at}
    answer = context.client.get("/v1/prices", query)
    rows = [{**entry, **rate} for entry in answer["prices"] for rate in entry["rates"]]
    context.out.rows(_RATES, rows, none="No model that this key may use has a price there.")
    context.out.note(f"Prices of batch jobs, price table {answer['priceTable']}.")


def list_overrides(context: Context, _: Namespace) -> None:
    """Run ``vbatch prices overrides``."""
    overrides = context.client.get("/v1/prices").get("overrides")
    if overrides is None:
        raise UsageError(
            "This key may not see overrides. Use an administrator's key, or a viewer's without a team."
        )
    context.out.rows(_OVERRIDES, overrides, none="There are no overrides: the price table counts.")


def set_rates(context: Context, args: Namespace) -> None:
    """Run ``vbatch prices set``."""
    try:
        body = args.file.read_bytes()
    except OSError as error:
        raise UsageError(f"{args.file} cannot be read: {error.strerror}") from error
    _show(context, context.client.put(_path(args), body))


def set_discount(context: Context, args: Namespace) -> None:
    """Run ``vbatch prices discount``."""
    body = {"discount": args.discount}
    body |= {"from": args.start.isoformat()} if args.start else {}
    body |= {"source": args.source} if args.source else {}
    if earlier := _until(context, args) if args.start else []:
        body = {"discounts": [*earlier, body]}
    _show(context, context.client.put(_path(args), msgspec.json.encode(body)))


def _until(context: Context, args: Namespace) -> list[dict[str, Any]]:
    """Return the discounts of the same override that begin before a new one does.

    Raises:
        UsageError: It holds rates, which would end at once.
    """
    is_model = not args.name.startswith(_PUBLISHERS)
    answer = context.client.get("/v1/prices", {"model": args.name} if is_model else {})
    # A model may be given by another name than the one that its override has.
    name = next((entry["model"] for entry in answer["prices"]), args.name) if is_model else args.name
    for override in answer.get("overrides", ()):
        if (override["name"], override["location"]) == (name, args.location):
            terms = override["terms"]
            if "prices" in terms:
                raise UsageError(
                    f"An override holds rates or discounts, and that of {name} holds rates, which would end "
                    "at once. To lower them from a day on, add a price from that day to their file (`vbatch "
                    "prices set`); to end them now, delete them first (`vbatch prices delete`)."
                )
            return [step for step in terms.get("discounts", [terms]) if _begins(step) < args.start]
    return []


def _begins(step: dict[str, Any]) -> date:
    return date.fromisoformat(step["from"]) if step.get("from") else date.min


def _day(given: str) -> date:
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise ArgumentTypeError(f"{given!r} is not a day such as 2027-01-31") from None


def delete(context: Context, args: Namespace) -> None:
    """Run ``vbatch prices delete``."""
    where = f"in {args.location}" if args.location else "in all locations"
    confirm(f"This deletes the override of {args.name} {where}.", yes=args.yes)
    _show(context, context.client.delete(_path(args)))


def _path(args: Namespace) -> str:
    location = f"?location={quote(args.location, safe='')}" if args.location else ""
    return f"/v1/prices/{quote(args.name)}{location}"


def _show(context: Context, override: dict[str, Any]) -> None:
    context.out.record(_OVERRIDES, override)
    context.out.note(f"In force for all instances within a minute, as price table {override['priceTable']}.")


def _whose(entry: dict[str, Any]) -> str:
    override = entry["override"]
    return " ".join(filter(None, (entry["source"], *(override or {}).values())))


_RATES = (
    Column("model", lambda row: row["model"]),
    Column("location", lambda row: row["location"]),
    Column("item", lambda row: row["item"]),
    Column("window", lambda row: row["contextWindow"], spare=4),
    Column("unit", lambda row: row["unit"], spare=5),
    Column("price", lambda row: row["unitPrice"], Kind.MONEY),
    Column("source", _whose, spare=1),
    Column("since", lambda row: row["since"], spare=3),
    Column("changes", lambda row: (row["nextChange"] or {}).get("from"), spare=2),
    Column("page", lambda row: row["page"], csv_only=True),
)
_OVERRIDES = (
    Column("name", lambda row: row["name"]),
    Column("location", lambda row: row["location"] or "all"),
    Column("terms", lambda row: msgspec.json.encode(row["terms"]).decode(), spare=1),
    Column("set_by", lambda row: row["setBy"]),
    Column("set_at", lambda row: row["setAt"], Kind.TIME),
)
