"""Compare our books with Google's bill, by day, project, model and item, and explain the difference.

Google's amount is what a SKU cost with the credits that lower its price; promotional credits are a means of
payment ("Structure of Standard data export" of Cloud Billing: ``credits.type``), so they are shown apart.
A reason is only given if the figures show it: a discount, for example, if the amounts agree without it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import msgspec

from batch_gateway.core.accounting.settlement import DailyTotal
from batch_gateway.core.spend.skus import is_batch, item_of, kind_of, model_of

TOLERANCE = Fraction(1, 100)
"""Amounts that differ by at most this part agree."""
_NEGLIGIBLE_NANO = 10_000_000
"""Differences of up to a cent need no explanation."""
_LAG = timedelta(days=2)
"""Younger usage may be missing: exports have no guaranteed latency ("Frequency of data loads")."""
_NANO = 10**9
_DAY = timedelta(days=1)

_Key = tuple[str, str, str | None, str | None]
"""(day, project, model, kind of item)"""
_Group = tuple[str, str | None, str | None]
"""(project, model, kind of item)"""


class Billed(msgspec.Struct, frozen=True):
    """The cost of a SKU in a project on a UTC day, in the bill's currency.

    Attributes:
        day: Day of usage, ``2026-11-22``.
        project: Id of the project.
        sku: Id of the SKU.
        description: Its description.
        currency: ISO 4217 code.
        rate: Units of the currency for a US dollar; None if the export does not say.
        cost: Cost with all credits but promotional ones.
        at_list: Cost at list price; None if the export does not say.
        discounts: Those credits, negative.
        promotions: Promotional credits, negative.
    """

    day: str
    project: str
    sku: str
    description: str
    currency: str
    rate: Decimal | None
    cost: Decimal
    at_list: Decimal | None
    discounts: Decimal
    promotions: Decimal


class BilledSku(NamedTuple):
    """A SKU's part of a line, in nano-USD."""

    sku: str
    description: str
    amount_nano: int


class Line(NamedTuple):
    """One comparison.

    Attributes:
        day: UTC day.
        project: Id of the project.
        model: As in the price table; None for SKUs whose model is not known.
        item: Kind of item, as in ``skus.kind_of``; None for SKUs whose item is not known.
        skus: The SKUs that make up Google's amount.
        ours_nano: Our amount, nano-USD.
        google_nano: Google's amount, nano-USD.
        reasons: What explains a difference; see REASONS.
    """

    day: str
    project: str
    model: str | None
    item: str | None
    skus: tuple[BilledSku, ...]
    ours_nano: int
    google_nano: int
    reasons: tuple[str, ...]


class Comparison(NamedTuple):
    """The comparison of a span.

    Attributes:
        lines: By day, project, model and item.
        ours_nano: The sum of our amounts.
        google_nano: The sum of Google's amounts for SKUs of batch jobs, also those of unknown models.
        discounts_nano: Credits in it that lower prices, negative.
        promotions_nano: Promotional credits, negative; not in it.
        not_compared: SKUs that are not for batch jobs.
        unconverted: SKUs in a currency whose rate the export does not say; not in Google's amounts.
    """

    lines: list[Line]
    ours_nano: int
    google_nano: int
    discounts_nano: int
    promotions_nano: int
    not_compared: list[BilledSku]
    unconverted: list[Billed]

    @property
    def drift_percent(self) -> Fraction | None:
        """The difference of the sums in percent of the larger one; None while an amount is not converted.

        So it does not matter which side is the larger one, and it is 100 where one side has nothing. It is
        also 100 where only one side is below 0: no part of the amounts is the same.
        """
        if self.unconverted:
            return None
        larger = max(abs(self.ours_nano), abs(self.google_nano))
        difference = min(abs(self.ours_nano - self.google_nano), larger)
        return Fraction(100 * difference, larger) if larger else Fraction(0)


REASONS = {
    "CURRENCY": "Google bills another currency. Amounts are converted at the export's rate, and rounded. "
    "Amounts for which the export has no rate are not in Google's: see unconverted.",
    "DISCOUNT": "The amounts agree without the credits that lower Google's price. If you always get "
    "them, set a discount (PUT /v1/prices).",
    "EXPORT_LAG": "The export may not have all usage of this day yet. Compare again in two days.",
    "LIST_PRICE": "Our amount agrees with Google's list price, but you pay another one. Set your own price "
    "(PUT /v1/prices).",
    "NOT_IN_BOOKS": "No job with this model is in our books for these days. Others may run jobs there.",
    "NO_SKU": "No SKU could be matched. Look for the amount in lines without a model, in not_compared "
    "and in unconverted.",
    "OTHER_DAY": "The sums of all days agree. Jobs are booked on the day of their creation and billed on the "
    "days on which they ran, up to four days later.",
    "PROMOTION": "The amounts agree if promotional credits are taken off Google's.",
    "UNEXPLAINED": "Neither side shows why. Compare prices and quantities of the SKUs with GET /v1/prices.",
    "UNKNOWN_SKU": "The SKU's description does not say for which model or item it is.",
    "UNPRICED_ROWS": "Rows of this model had no price or could not be read, so our amount is a floor.",
}
"""Reasons, and what to do about them."""


class _Side:
    """Google's amounts of a line, in nano-USD."""

    def __init__(self) -> None:
        self.skus: dict[tuple[str, str], int] = defaultdict(int)
        self.net = self.at_list = self.discounts = self.promotions = 0
        self.is_converted = False
        self.has_list = True

    def add(self, billed: Billed, rate: Decimal) -> None:
        net = _nano(billed.cost, rate)
        self.skus[billed.sku, billed.description] += net
        self.net += net
        self.discounts += _nano(billed.discounts, rate)
        self.promotions += _nano(billed.promotions, rate)
        self.has_list &= billed.at_list is not None
        self.at_list += _nano(billed.at_list or Decimal(0), rate)
        self.is_converted |= billed.currency != "USD"


def compare(
    totals: Iterable[DailyTotal], bill: Iterable[Billed], models: Sequence[str], now: datetime
) -> Comparison:
    """Compare totals with the bill of the same days and projects.

    Args:
        totals: Our daily totals.
        bill: The bill.
        models: Models that SKUs may be for.
        now: The present, by which a day is old enough to be in the export.
    """
    ours, unpriced = _ours(totals)
    known = sorted({*models, *(model for _, _, model, _ in ours if model)})
    google: dict[_Key, _Side] = defaultdict(_Side)
    other: dict[tuple[str, str], int] = defaultdict(int)
    unconverted = []
    days_without_rate: dict[_Group, set[str]] = defaultdict(set)
    for billed in bill:
        rate = Decimal(1) if billed.currency == "USD" else billed.rate
        if not rate:
            unconverted.append(billed)
            if is_batch(billed.description):
                days_without_rate[_group(billed, known)].add(billed.day)
        elif not is_batch(billed.description):
            other[billed.sku, billed.description] += _nano(billed.cost, rate)
        else:
            google[billed.day, *_group(billed, known)].add(billed, rate)
    context = _Context(
        _sums(ours, google),
        {key[1:3] for key in (*ours, *unpriced)},
        {*(key[1:] for key in google), *days_without_rate},
        days_without_rate,
        unpriced,
        now,
    )
    keys = sorted({*ours, *google}, key=lambda key: [part or "" for part in key])
    return Comparison(
        [_line(key, ours.get(key, 0), google.get(key) or _Side(), context) for key in keys],
        sum(ours.values()),
        sum(side.net for side in google.values()),
        sum(side.discounts for side in google.values()),
        sum(side.promotions for side in google.values()),
        [BilledSku(*sku, amount) for sku, amount in sorted(other.items())],
        unconverted,
    )


def _group(billed: Billed, known: Sequence[str]) -> _Group:
    return billed.project, model_of(billed.description, known), item_of(billed.description)


def _ours(totals: Iterable[DailyTotal]) -> tuple[dict[_Key, int], set[_Key]]:
    """Return our amounts, and the days, projects and models with rows that have no price (item None)."""
    amounts: dict[_Key, int] = defaultdict(int)
    unpriced: set[_Key] = set()
    for total in totals:
        for item, used in total.items.items():
            amounts[total.day, total.project, total.model, kind_of(item)] += used.amount_nano
        if total.unpriced_rows > 0:
            unpriced.add((total.day, total.project, total.model, None))
    return {key: amount for key, amount in amounts.items() if amount}, unpriced


class _Context(NamedTuple):
    """The facts that a line is judged by, besides its own amounts.

    Attributes:
        sums: (ours, Google's) of all days, by project, model and item.
        booked: (project, model) in our books.
        billed: What the bill has SKUs of, also if their amounts come to 0 or cannot be converted.
        days_without_rate: Days with amounts that cannot be converted.
        unpriced: As returned by `_ours`.
        now: The present.
    """

    sums: dict[_Group, tuple[int, int]]
    booked: set[tuple[str, str | None]]
    billed: set[_Group]
    days_without_rate: Mapping[_Group, set[str]]
    unpriced: set[_Key]
    now: datetime


def _sums(ours: dict[_Key, int], google: dict[_Key, _Side]) -> dict[_Group, tuple[int, int]]:
    sums: dict[_Group, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for key in {*ours, *google}:
        mine, theirs = sums[key[1:]]
        billed = google[key].net if key in google else 0
        sums[key[1:]] = (mine + ours.get(key, 0), theirs + billed)
    return sums


def _line(key: _Key, ours: int, google: _Side, context: _Context) -> Line:
    skus = tuple(BilledSku(*sku, amount) for sku, amount in sorted(google.skus.items()))
    return Line(*key, skus, ours, google.net, tuple(_reasons(key, ours, google, context)))


def _reasons(key: _Key, ours: int, google: _Side, context: _Context) -> list[str]:
    day, project, model, item = key
    if model is None or item is None:
        return ["UNKNOWN_SKU"]
    group = (project, model, item)
    if day in context.days_without_rate.get(group, ()):
        # Google's amount is only a part, so it shows nothing.
        reasons = ["CURRENCY"]
    elif _agree(ours, google.net):
        return []
    else:
        reasons = _by_amounts(day, group, ours, google, context)
    if (day, project, model, None) in context.unpriced:
        reasons.append("UNPRICED_ROWS")
    if (project, model) not in context.booked:
        reasons.append("NOT_IN_BOOKS")
    elif group not in context.billed and "EXPORT_LAG" not in reasons:
        reasons.append("NO_SKU")
    return reasons or ["UNEXPLAINED"]


def _by_amounts(day: str, group: _Group, ours: int, google: _Side, context: _Context) -> list[str]:
    reasons = _shown(ours, google)
    is_whole = group not in context.days_without_rate
    all_ours, all_google = context.sums[group]
    if all_google and all_ours and is_whole and _agree(all_ours, all_google):
        reasons.append("OTHER_DAY")
    end = datetime.fromisoformat(day).replace(tzinfo=UTC) + _DAY
    # Amounts that agree in one of these ways show that the export has everything.
    is_late = not reasons and google.net < ours and context.now < end + _LAG
    is_near = google.is_converted and abs(ours - google.net) * 20 <= abs(google.net)
    if is_near or not (is_whole or reasons):
        reasons.append("CURRENCY")
    return [*reasons, "EXPORT_LAG"] if is_late else reasons


def _shown(ours: int, google: _Side) -> list[str]:
    """Return the reasons that make the amounts agree."""
    found = []
    if google.discounts and _agree(ours, google.net - google.discounts):
        found.append("DISCOUNT")
    elif google.has_list and google.at_list and _agree(ours, google.at_list):
        found.append("LIST_PRICE")
    if google.promotions and _agree(ours, google.net + google.promotions):
        found.append("PROMOTION")
    return found


def _agree(one: int, other: int) -> bool:
    difference = abs(one - other)
    return difference <= _NEGLIGIBLE_NANO or difference <= TOLERANCE * max(abs(one), abs(other))


def _nano(amount: Decimal, rate: Decimal) -> int:
    return round(Fraction(amount) * _NANO / Fraction(rate))
