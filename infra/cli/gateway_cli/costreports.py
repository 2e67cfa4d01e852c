"""Print a job's cost, item by item."""

from typing import Any

from gateway_cli.cells import Column, Kind, of
from gateway_cli.joblists import colour, progress, settled, word
from gateway_cli.printing import Printer


def show(out: Printer, report: dict[str, Any], reason: str | None) -> None:
    """Print a job's cost, and why the job failed if it did; in CSV its line items."""
    if out.form != "table":
        out.rows(_ITEMS, report["lineItems"], raw=report)
        return
    failed = (Column("reason", lambda _: reason, style=lambda _: "red"),) if reason else ()
    out.record((*_COST, *failed), report)
    if report["lineItems"]:
        total = {"item": ("total", False), "amount": (report["amount"], not report["complete"])}
        out.text()
        out.rows(_ITEMS, report["lineItems"], total=total)
    reasons = (report.get("waste") or {}).get("reasons")
    if reasons:
        out.text("\nWaste (blocked and cut-off rows):")
        out.rows(_WASTE, reasons)
    fees = report.get("queryFees")
    if fees:
        out.text("\nFees of searches, not in the cost; Google may charge less:")
        out.rows(_FEES, fees["items"])
    if report["outputs"]:
        out.text("\nOutput:")
        out.rows(_OUTPUTS, report["outputs"])


def _complete(cost: dict[str, Any]) -> Any:
    if cost["status"] == "PENDING":
        return "no: no output is settled yet"
    if cost["complete"]:
        return True
    late = "more may come, or " if cost["status"] != "FINAL" else ""
    return (
        f"no: {late}some rows have no price, could not be read, are of no known shape or are missing; "
        "the cost is a floor"
    )


def _estimate(cost: dict[str, Any]) -> str | None:
    levels = cost["estimate"]
    if not levels:
        return None
    low, expected, high = (levels[name] or "?" for name in ("low", "expected", "high"))
    return f"{low} to {high} USD, expected {expected}"


_COST = (
    of("name", "name"),
    of("model", "model"),
    of("team", "team"),
    of("api_key", "apiKey"),
    of("labels", "labels"),
    Column("state", lambda cost: word(cost["state"]), style=lambda cost: colour(cost["state"])),
    Column("cost_status", lambda cost: cost["status"].lower()),
    Column("progress", progress, Kind.PROGRESS),
    Column("rows", lambda cost: {name: count for name, count in cost["rows"].items() if count}),
    Column(
        "unpriced_for",
        lambda cost: {why["reason"]: why["rows"] for why in cost.get("unpricedReasons") or ()},
    ),
    Column("tokens", lambda cost: {name: f"{count:,}" for name, count in cost["usage"].items() if count}),
    Column(
        "cost",
        lambda cost: settled(cost, cost["amount"]),
        Kind.MONEY,
        floor=lambda cost: not cost["complete"],
    ),
    Column("complete", _complete),
    of("projected", "projected", Kind.MONEY),
    Column("estimate", _estimate),
    Column("wasted", lambda cost: settled(cost, (cost.get("waste") or {}).get("amount")), Kind.MONEY),
    of("price_table", "priceTable"),
)
_ITEMS = (
    of("item", "item"),
    of("model", "model", spare=3),
    of("context_window", "contextWindow"),
    of("quantity", "quantity", Kind.NUMBER),
    of("unit", "unit", spare=1),
    of("unit_price", "unitPrice", Kind.MONEY),
    of("amount", "amount", Kind.MONEY),
)
_WASTE = (
    of("kind", "kind"),
    of("reason", "reason"),
    of("rows", "rows", Kind.NUMBER),
    of("amount", "amount", Kind.MONEY),
)
_FEES = (
    of("grounding", "grounding"),
    of("item", "item"),
    of("model", "model"),
    of("quantity", "quantity", Kind.NUMBER),
    of("unit_price", "unitPrice", Kind.MONEY),
    of("amount", "amount", Kind.MONEY),
)
_OUTPUTS = (
    of("uri", "uri"),
    of("rows", "rows", Kind.NUMBER),
    of("bytes", "bytes", Kind.NUMBER),
    of("error", "error"),
)
