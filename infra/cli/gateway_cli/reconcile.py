"""``vbatch reconcile``: compare the books with Google's bill."""

from argparse import Namespace
from datetime import UTC
from typing import Any

from gateway_cli.cells import Column, Kind
from gateway_cli.declaring import Commands, Context
from gateway_cli.options import add_span, span_of
from gateway_cli.times import GRAMMAR, rfc3339


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "reconcile",
        reconcile,
        "Compare the books with Google's bill.",
        "vbatch reconcile\n"
        "vbatch reconcile --since 2026-11-01 --until 2026-12-01\n"
        "vbatch reconcile --since 7d --all -o csv",
        "Needs the setting billing_export of the gateway. Whole days of UTC are compared: of a job's "
        "creation in the books, and of usage in the bill, so compare weeks rather than days.\n"
        f"{GRAMMAR}",
    )
    parser.add_argument("--all", action="store_true", help="also lines that agree (default: the others)")
    add_span(parser, "30d", until="the last midnight UTC, so that today is left out")


def reconcile(context: Context, args: Namespace) -> None:
    """Run ``vbatch reconcile``."""
    start, end = span_of(context, args, UTC)
    query = {
        "start_time": rfc3339(start) if start else None,
        "end_time": rfc3339(end) if end else None,
    }
    answer = context.client.get("/v1/costs:reconcile", query)
    lines = [line for line in answer["lines"] if args.all or line["reasons"]]
    total = {name: (answer[name], False) for name in ("ours", "google", "difference")}
    context.out.rows(
        _LINES,
        lines,
        raw=answer,
        none="No line differs by more than 1 % and a cent.",
        total={"day": ("total", False), **total},
    )
    for reason, meaning in answer["reasons"].items():
        context.out.note(f"{reason}: {meaning}")
    others = len(answer["not_compared"])
    if others:
        context.out.note(f"SKUs that are not for batch jobs are not compared: {others} (-o json shows them).")
    read = answer["export"]["bytes_read"]
    context.out.note(f"{answer['summary']} The query read {read:,} bytes of {answer['export']['table']}.")


def _skus(line: dict[str, Any]) -> str:
    return "; ".join(sku["description"] for sku in line["skus"])


_LINES = (
    Column("day", lambda line: line["day"]),
    Column("project", lambda line: line["project"], spare=1),
    Column("model", lambda line: line["model"]),
    Column("item", lambda line: line["item"]),
    Column("ours", lambda line: line["ours"], Kind.MONEY),
    Column("google", lambda line: line["google"], Kind.MONEY),
    Column("difference", lambda line: line["difference"], Kind.MONEY, spare=2),
    Column("ratio", lambda line: line["ratio"], spare=3),
    Column("reasons", lambda line: line["reasons"]),
    Column("skus", _skus, csv_only=True),
)
