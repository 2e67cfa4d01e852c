"""Define the answer of ``GET /v1/costs:reconcile``, and make it from a comparison."""

from collections.abc import Iterable
from fractions import Fraction
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from batch_gateway.core.answers import Count, Money
from batch_gateway.core.pricing.money import format_nano
from batch_gateway.core.spend import reconcile
from batch_gateway.core.spend.time_buckets import Span
from batch_gateway.ports.billing import Bill

_PERCENT_DIGITS = 2
_RATIO_DIGITS = 4
_AGREED_PERCENT = 5
"""Sums that differ by more do not agree; the default of ``bill_drift_percent``, where the alert begins."""

_Day = Annotated[str, Meta(description="UTC: of creation in the books, of usage in the bill.")]
_Difference = Annotated[Money, Meta(description="Ours less Google's.")]
_Ratio = Annotated[str | None, Meta(description="Ours divided by Google's; null where Google's is 0.")]


class BilledSku(msgspec.Struct, frozen=True):
    """The cost of a SKU.

    Attributes:
        sku: Its id.
        description: Its description in the bill.
        amount: With the credits that lower prices.
    """

    sku: str
    description: str
    amount: Money


class BillLine(msgspec.Struct, frozen=True, kw_only=True):
    """Both amounts of a day, project, model and item.

    Attributes:
        project: Id.
        model: null: the SKU's description does not say.
        item: ``input``, ``cached_input``, ``cache_creation`` or ``output``, with all modalities; null: the
            SKU's description does not say.
        reasons: What explains a difference of more than 1 % and more than a cent.
        skus: What Google's amount is made of.
    """

    day: _Day
    project: str
    model: str | None
    item: str | None
    ours: Money
    google: Money
    difference: _Difference
    ratio: _Ratio
    reasons: list[str]
    skus: list[BilledSku]


class UnconvertedSku(msgspec.Struct, frozen=True, kw_only=True):
    """The cost of a SKU in a currency whose rate the export does not say.

    Attributes:
        amount: In that currency.
        currency: ISO 4217 code.
    """

    day: _Day
    project: str
    sku: str
    description: str
    amount: str
    currency: str


class BillExport(msgspec.Struct, frozen=True, kw_only=True):
    """The export that the bill was read from.

    Attributes:
        kind: ``standard`` is also the detailed export.
        newest: When the newest row that was read was exported, in Unix seconds; null: there was none.
        bytes_read: Bytes that the query read; BigQuery bills 10 MB at least.
    """

    table: str
    kind: Literal["standard", "focus"]
    newest: int | None
    bytes_read: Count


class BillComparison(msgspec.Struct, frozen=True, kw_only=True):
    """Our books and Google's bill.

    Attributes:
        start_time: Unix seconds.
        end_time: Unix seconds.
        ours: The sum of the books.
        google: The sum of all SKUs of batch jobs, also of those that could not be matched.
        agrees_within_percent: The difference of the sums in percent of the larger one, rounded up,
            100 at most; null while there are unconverted costs.
        summary: The same as a sentence, which says that they agree if that is 5 or less.
        discounts: Credits that lower prices; part of Google's amount.
        promotions: Promotional credits; no part of Google's amount.
        reasons: What each reason in the lines means.
        not_compared: SKUs of models that are not for batch jobs.
        unconverted: Costs that are not in Google's amounts, because they cannot be converted.
    """

    start_time: int
    end_time: int
    currency: Literal["USD"] = "USD"
    ours: Money
    google: Money
    difference: _Difference
    ratio: _Ratio
    agrees_within_percent: str | None
    summary: str
    discounts: Money
    promotions: Money
    reasons: dict[str, str]
    lines: list[BillLine]
    not_compared: list[BilledSku]
    unconverted: list[UnconvertedSku]
    export: BillExport


def bill_view(span: Span, table: str, bill: Bill, found: reconcile.Comparison) -> BillComparison:
    """Return a comparison as it is answered.

    Args:
        span: The days that were compared.
        table: The export's table.
        bill: The bill that was read from it.
        found: The comparison.
    """
    reasons = sorted({reason for line in found.lines for reason in line.reasons})
    drift = found.drift_percent
    return BillComparison(
        start_time=int(span.start.timestamp()),
        end_time=int(span.end.timestamp()),
        ours=format_nano(found.ours_nano),
        google=format_nano(found.google_nano),
        difference=format_nano(found.ours_nano - found.google_nano),
        ratio=_ratio(found.ours_nano, found.google_nano),
        agrees_within_percent=None if drift is None else percent(drift),
        summary=_summary(found),
        discounts=format_nano(found.discounts_nano),
        promotions=format_nano(found.promotions_nano),
        reasons={reason: reconcile.REASONS[reason] for reason in reasons},
        lines=[_line_view(line) for line in found.lines],
        not_compared=_sku_views(found.not_compared),
        unconverted=[_unconverted_view(row) for row in found.unconverted],
        export=BillExport(
            table=table,
            kind=bill.kind,
            newest=None if bill.exported is None else int(bill.exported.timestamp()),
            bytes_read=bill.bytes,
        ),
    )


def _summary(found: reconcile.Comparison) -> str:
    drift = found.drift_percent
    if drift is None:
        return (
            "Some amounts are in a currency whose rate the export does not say, so the sums are not compared."
        )
    if not found.lines:
        return "Neither our books nor Google's bill has an amount for batch jobs on these days."
    if drift <= _AGREED_PERCENT:
        return f"Our books and Google's bill agree within {percent(drift)} %."
    return _disagreement(found, drift)


def _disagreement(found: reconcile.Comparison, drift: Fraction) -> str:
    ours, google = found.ours_nano, found.google_nano
    in_books, in_bill = f"our books have {format_nano(ours)} USD", f"the bill has {format_nano(google)} USD"
    if min(ours, google) < 0:
        return f"Credits or corrections are more than the costs: {in_books}, and {in_bill}."
    if not google:
        has_skus = any(line.skus for line in found.lines)
        nothing = "comes to 0 for batch jobs" if has_skus else "has nothing for batch jobs"
        return f"Google's bill {nothing} on these days, and {in_books}."
    if not ours:
        return f"Our books have no amount for batch jobs on these days, and {in_bill}."
    return f"Our books and Google's bill differ by {percent(drift)} %: {in_books}, and {in_bill}."


def _line_view(line: reconcile.Line) -> BillLine:
    return BillLine(
        day=line.day,
        project=line.project,
        model=line.model,
        item=line.item,
        ours=format_nano(line.ours_nano),
        google=format_nano(line.google_nano),
        difference=format_nano(line.ours_nano - line.google_nano),
        ratio=_ratio(line.ours_nano, line.google_nano),
        reasons=list(line.reasons),
        skus=_sku_views(line.skus),
    )


def _sku_views(skus: Iterable[reconcile.BilledSku]) -> list[BilledSku]:
    return [BilledSku(each.sku, each.description, format_nano(each.amount_nano)) for each in skus]


def _unconverted_view(row: reconcile.Billed) -> UnconvertedSku:
    return UnconvertedSku(
        day=row.day,
        project=row.project,
        sku=row.sku,
        description=row.description,
        amount=f"{row.cost:f}",
        currency=row.currency,
    )


def _ratio(ours_nano: int, google_nano: int) -> str | None:
    return _decimal(Fraction(ours_nano, google_nano), _RATIO_DIGITS) if google_nano else None


def percent(value: Fraction) -> str:
    """Format a percentage, rounded up, so that "within" is true."""
    scale = 10**_PERCENT_DIGITS
    return _decimal(Fraction(-(-value * scale // 1), scale), _PERCENT_DIGITS)


def _decimal(value: Fraction, digits: int) -> str:
    units = round(value * 10**digits)
    return format_nano(units * 10 ** (9 - digits))
