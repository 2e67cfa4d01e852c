"""What a job will cost: low, expected and high, and what that rests on."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from batch_gateway.core.estimating.bounds import Weight
from batch_gateway.core.estimating.families import MOST_BYTES, Family
from batch_gateway.core.estimating.ranges import Range
from batch_gateway.core.estimating.sums import Extrapolation, UnitCounts
from batch_gateway.core.jobs.record import Weighed
from batch_gateway.core.pricing.cost import cost_of
from batch_gateway.core.pricing.models import short_name
from batch_gateway.core.pricing.money import format_nano
from batch_gateway.core.pricing.prices import LONGEST_QUEUE, PriceTable
from batch_gateway.core.usage import Quantity, Usage

MOST_SHOWN = 20
"""Invalid rows that are named; the others are counted."""


class InvalidRow(msgspec.Struct, frozen=True, rename="camel"):
    """A row that will fail, or fail the job.

    Attributes:
        uri: Of the object.
        line: Counted from 1; None in a part of an object whose beginning was not read.
        reason: What is wrong with it.
    """

    uri: str
    line: int | None
    reason: str


class Estimate(msgspec.Struct, frozen=True, rename="camel"):
    """What a job will cost, as far as can be told before it runs.

    Attributes:
        model: Key in the price table, or the name as given.
        price_table: Version of the table.
        low_nano: nano-USD; this and the next two None if it cannot be known, for which ``warnings`` say why.
        expected_nano: nano-USD.
        high_nano: nano-USD.
        rows: Number of rows; None if unknown.
        exact_rows: Whether that many were counted rather than guessed.
        sampled: Rows that were read.
        invalid: Those of them that will fail, or fail the job.
        input: Tokens or characters; None if unknown.
        output: Tokens; None if unknown.
        assumptions: What the figures rest on, as sentences.
        warnings: What is likely to go wrong, or is not in the figures.
        invalid_rows: The first of the invalid rows.
        weighed: The input, if all of it was read to tell the high.
    """

    model: str
    price_table: str
    low_nano: int | None = None
    expected_nano: int | None = None
    high_nano: int | None = None
    rows: int | None = None
    exact_rows: bool = False
    sampled: int = 0
    invalid: int = 0
    input: tuple[int, int, int | None] | None = None
    output: tuple[int, int, int | None] | None = None
    assumptions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    invalid_rows: tuple[InvalidRow, ...] = ()
    weighed: Weighed | None = None

    def with_warnings(self, *warnings: str) -> "Estimate":
        """The same with more warnings."""
        return msgspec.structs.replace(self, warnings=(*self.warnings, *warnings))

    def without_high(self, reason: str) -> "Estimate":
        """The same with its high unknown: that of its cost and of its tokens."""
        tokens = [each and (each[0], each[1], None) for each in (self.input, self.output)]
        return msgspec.structs.replace(
            self, high_nano=None, input=tokens[0], output=tokens[1], warnings=(*self.warnings, reason)
        )


def with_prices(
    estimate: Estimate, total: Extrapolation, prices: PriceTable, *, location: str, at: datetime
) -> Estimate:
    """Fills in what all rows use and what it costs.

    Args:
        estimate: Whose model it is.
        total: What all rows use.
        prices: The table.
        location: Where the job will run.
        at: The time whose prices are in force. The high takes the dearest from then until the job must have
            started, since a budget that reserves it must not fall short when a price rises in between.
    """
    low, expected, high = total.uses
    amounts = [
        _amount(estimate.model, low, prices, location, (at, at)),
        _amount(estimate.model, expected, prices, location, (at, at)),
        _amount(estimate.model, high, prices, location, (at, at + LONGEST_QUEUE)),
    ]
    estimate = msgspec.structs.replace(
        estimate,
        low_nano=amounts[0],
        expected_nano=amounts[1],
        high_nano=amounts[2],
        rows=total.rows.expected,
        exact_rows=total.exact,
        input=tuple(total.input),
        output=tuple(total.output),
    )
    if None not in amounts:
        return estimate
    estimate = msgspec.structs.replace(estimate, low_nano=None, expected_nano=None, high_nano=None)
    return estimate.with_warnings(
        f"The amounts are unknown: the price table has no price for {estimate.model} that fits."
    )


def describe_prices(model: str, prices: PriceTable, *, location: str, at: datetime) -> list[str]:
    """Say which prices an estimate takes, and what of them is in doubt, as sentences."""
    said = (
        f"Prices: list prices for batch jobs in {location}, in force on {at:%Y-%m-%d}, from the table "
        f"{prices.version}. The high takes the dearest until {at + LONGEST_QUEUE:%Y-%m-%dT%H:%MZ}, when the "
        "job has left the queue at the latest."
    )
    return [said, *prices.doubts(model, at)]


def bounded(
    estimate: Estimate, weight: Weight, weighed: Weighed, prices: PriceTable, *, location: str, at: datetime
) -> Estimate:
    """Take what all rows use at most for the high.

    Args:
        estimate: With a low and an expected.
        weight: Of all rows.
        weighed: The input that they are in.
        prices: The table.
        location: Where the job will run.
        at: The time whose prices are in force.
    """
    high = _amount(estimate.model, weight.uses, prices, location, (at, at + LONGEST_QUEUE))
    if high is None or estimate.expected_nano is None:
        return estimate.without_high(
            f"The high is unknown: {estimate.model} has no price for all that it may use."
        )
    tokens = [
        each and (each[0], each[1], max(each[1], most))
        for each, most in ((estimate.input, weight.input), (estimate.output, weight.output))
    ]
    said = (
        f"High, for a budget: all {weight.rows:,} rows were read. A token a byte of text, files by their "
        "size, and the longest answers that the rows allow."
    )
    return msgspec.structs.replace(
        estimate,
        high_nano=max(high, estimate.expected_nano),
        rows=weight.rows,
        exact_rows=True,
        input=tokens[0],
        output=tokens[1],
        assumptions=(*estimate.assumptions, said),
        weighed=weighed,
    )


def _amount(
    model: str, use: UnitCounts, prices: PriceTable, location: str, time: tuple[datetime, datetime]
) -> int | None:
    quantities = tuple(
        Quantity(model, window, item, number, 1) for (window, item), number in sorted(use.items()) if number
    )
    cost = cost_of(Usage(quantities=quantities), prices, location=location, at=time[0], until=time[1])
    return None if any(item.amount_nano is None for item in cost.line_items) else cost.amount_nano


def exceeded_limits(family: Family, rows: Range, size: int) -> list[str]:
    """What of an input is beyond Vertex AI's limits, as sentences."""
    found = []
    most = family.most_rows
    if most is not None and rows.expected > most:
        found.append(
            f"The job has about {rows.expected:,} rows; Vertex AI takes at most {most:,} in one job."
        )
    if family in {Family.GEMINI, Family.GEMINI_EMBEDDING} and size > MOST_BYTES:
        found.append(f"The input has {size:,} bytes; Vertex AI takes at most 1 GB in one job.")
    return found


def estimate_report(estimate: Estimate) -> dict[str, Any]:
    """The answer of ``…:estimateCost``, ready for JSON."""
    return {
        "currency": "USD",
        "low": _money(estimate.low_nano),
        "expected": _money(estimate.expected_nano),
        "high": _money(estimate.high_nano),
        "model": short_name(estimate.model),
        "rows": {
            "total": estimate.rows,
            "exact": estimate.exact_rows,
            "sampled": estimate.sampled,
            "invalid": estimate.invalid,
        },
        "inputTokens": _levels(estimate.input),
        "outputTokens": _levels(estimate.output),
        "assumptions": estimate.assumptions,
        "warnings": estimate.warnings,
        "invalidRows": estimate.invalid_rows,
        "priceTable": estimate.price_table,
    }


def _money(nano: int | None) -> str | None:
    return None if nano is None else format_nano(nano)


def _levels(levels: Sequence[int | None] | None) -> dict[str, int | None]:
    return dict(zip(("low", "expected", "high"), levels or (None, None, None), strict=True))
