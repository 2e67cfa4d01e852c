"""Price an estimate: low, expected and high, with the assumptions behind them."""

from datetime import datetime
from typing import Literal

import msgspec

from batch_gateway.core.answers import Count, Money
from batch_gateway.core.estimating.bounds import Weight
from batch_gateway.core.estimating.model_limits import MOST_BYTES, Family
from batch_gateway.core.estimating.ranges import Range
from batch_gateway.core.estimating.sums import Extrapolation, UnitCounts
from batch_gateway.core.jobs.cost_bounds import Weighed
from batch_gateway.core.pricing.cost import cost_of
from batch_gateway.core.pricing.layers import in_force
from batch_gateway.core.pricing.model_names import short_name
from batch_gateway.core.pricing.money import format_nano
from batch_gateway.core.pricing.prices import LONGEST_QUEUE, PriceTable
from batch_gateway.core.timing.job_times import Expectation
from batch_gateway.core.usage import Quantity, Usage

MOST_SHOWN = 20
"""Most invalid rows that are listed; all are counted."""


class InvalidRow(msgspec.Struct, frozen=True, rename="camel"):
    """A row that will fail, or fail the job.

    Attributes:
        uri: URI of the object.
        line: Number of the row, from 1; null if the object was not read from its beginning.
        reason: Why it is invalid.
    """

    uri: str
    line: int | None
    reason: str


class Estimate(msgspec.Struct, frozen=True, rename="camel"):
    """The estimated cost of a job before it runs.

    Attributes:
        model: Key in the price table, or the name as given.
        price_table: Version of the table.
        low_nano: nano-USD; this and the next two are None if unknown, and ``warnings`` say why.
        expected_nano: nano-USD.
        high_nano: nano-USD.
        rows: Number of rows; None if unknown.
        exact_rows: Whether the rows were counted rather than estimated.
        sampled: Number of rows that were read.
        invalid: How many of them will fail, or fail the job.
        fatal: How many of those would fail the whole job.
        input: Tokens or characters of input; None if unknown.
        output: Tokens of output; None if unknown.
        assumptions: The assumptions behind the figures, as sentences.
        warnings: Likely problems, and costs that are not in the figures, as sentences.
        invalid_rows: The first of the invalid rows; if there are more, those that would fail the whole job.
        weighed: The input, if all of it was read to compute the high.
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
    fatal: int = 0
    input: tuple[int, int, int | None] | None = None
    output: tuple[int, int, int | None] | None = None
    assumptions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    invalid_rows: tuple[InvalidRow, ...] = ()
    weighed: Weighed | None = None

    def with_warnings(self, *warnings: str) -> "Estimate":
        """Return a copy with further warnings."""
        return msgspec.structs.replace(self, warnings=(*self.warnings, *warnings))

    def without_high(self, reason: str) -> "Estimate":
        """Return a copy in which the high of cost and tokens is unknown."""
        tokens = [each and (each[0], each[1], None) for each in (self.input, self.output)]
        return msgspec.structs.replace(
            self, high_nano=None, input=tokens[0], output=tokens[1], warnings=(*self.warnings, reason)
        )


def with_prices(
    estimate: Estimate, total: Extrapolation, prices: PriceTable, *, location: str, at: datetime
) -> Estimate:
    """Return an estimate with the usage of all rows and its cost.

    Args:
        estimate: An estimate that names the model.
        total: Usage of all rows.
        prices: The table.
        location: Where the job will run.
        at: The time whose prices are in force. The high takes the highest prices from then until the job
            must have started, since a reservation of the high must suffice if a price rises in between.
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
        f"The amounts are unknown: the price table has no matching price for {estimate.model}."
    )


def describe_prices(model: str, prices: PriceTable, *, location: str, at: datetime) -> list[str]:
    """Describe the prices of an estimate, and doubts about them, as sentences."""
    found = in_force(prices.layers(model, location), at)
    whose = "list prices"
    if found and found[0].origin != "table":
        whose = f"the operator's prices ({' '.join(filter(None, found[0][:3]))})"
    said = (
        f"Prices: {whose} for batch jobs in {location}, in force on {at:%Y-%m-%d}, from the table "
        f"{prices.version}. The high takes the highest until {at + LONGEST_QUEUE:%Y-%m-%dT%H:%MZ}, when the "
        "job has left the queue at the latest."
    )
    return [said, *prices.doubts(model, location, at)]


def bounded(
    estimate: Estimate, weight: Weight, weighed: Weighed, prices: PriceTable, *, location: str, at: datetime
) -> Estimate:
    """Return an estimate whose high is the most that all rows may use.

    Args:
        estimate: An estimate with a low and an expected.
        weight: The most that all rows may use.
        weighed: The input that contains them.
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
        f"High, for a budget: all {weight.rows:,} rows were read. One token per byte of text, files by "
        "their size, and the longest answers that the rows allow."
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
    """Return the limits of Vertex AI that an input exceeds, as sentences."""
    found = []
    most = family.most_rows
    if most is not None and rows.expected > most:
        found.append(
            f"The job has about {rows.expected:,} rows; Vertex AI takes at most {most:,} in one job."
        )
    if family in {Family.GEMINI, Family.GEMINI_EMBEDDING} and size > MOST_BYTES:
        found.append(f"The input has {size:,} bytes; Vertex AI takes at most 1 GB in one job.")
    return found


class EstimatedRows(msgspec.Struct, frozen=True):
    """Rows of the input.

    Attributes:
        total: null: unknown.
        exact: true: counted, not extrapolated from a sample.
        sampled: Rows that were read.
        invalid: Rows, of those that were read, that will fail, or fail the job.
        fatal: Rows, of the invalid ones, that would fail the whole job before any row runs. The others fail
            alone, and are free.
    """

    total: Count | None
    exact: bool
    sampled: Count
    invalid: Count
    fatal: Count


class Levels(msgspec.Struct, frozen=True):
    """Numbers of tokens; null: unknown."""

    low: Count | None
    expected: Count | None
    high: Count | None


class EstimateReport(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Estimated cost of a create. An amount is null if it cannot be known; ``warnings`` say why.

    Attributes:
        low: Lowest cost.
        expected: Most likely cost.
        high: Highest cost, which a budget reserves.
        model: Short name.
        assumptions: Assumptions behind the figures, and prices that are derived or disputed.
        warnings: Likely problems, costs that are not included, and changes of the model's price or its
            retirement within 30 days.
        invalid_rows: The first twenty; if there are more, those that would fail the whole job.
        expected_time: How long earlier jobs that the caller may see took with this model in this location;
            those of the last 7 days if there are ten, else of 30.
        price_table: Version of the table and, after a plus, a hash of the operator's prices.
    """

    currency: Literal["USD"] = "USD"
    low: Money | None
    expected: Money | None
    high: Money | None
    model: str
    rows: EstimatedRows
    input_tokens: Levels
    output_tokens: Levels
    assumptions: tuple[str, ...]
    warnings: tuple[str, ...]
    invalid_rows: tuple[InvalidRow, ...]
    price_table: str
    expected_time: Expectation


def estimate_report(estimate: Estimate, expected: Expectation) -> EstimateReport:
    """Return the answer of ``…:estimateCost``, with how long such a job is expected to take."""
    return EstimateReport(
        low=_money(estimate.low_nano),
        expected=_money(estimate.expected_nano),
        high=_money(estimate.high_nano),
        model=short_name(estimate.model),
        rows=EstimatedRows(
            estimate.rows, estimate.exact_rows, estimate.sampled, estimate.invalid, estimate.fatal
        ),
        input_tokens=Levels(*(estimate.input or (None, None, None))),
        output_tokens=Levels(*(estimate.output or (None, None, None))),
        assumptions=estimate.assumptions,
        warnings=estimate.warnings,
        invalid_rows=estimate.invalid_rows,
        price_table=estimate.price_table,
        expected_time=expected,
    )


def _money(nano: int | None) -> str | None:
    return None if nano is None else format_nano(nano)
