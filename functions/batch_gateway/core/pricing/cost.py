"""Price usage: line items, the cost of useless rows, and the most that searches may cost."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction

import msgspec

from batch_gateway.core.pricing.money import PICO_PER_NANO, Pico, apportion, round_pico, times
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.core.rows import UNBILLED_TOOL_USE
from batch_gateway.core.usage import WEB_SEARCH, Quantity, Usage, Waste


class LineItem(msgspec.Struct, frozen=True, rename="camel"):
    """The cost of one quantity.

    Attributes:
        model: As in Quantity.
        context_window: As in Quantity.
        item: As in Quantity.
        quantity: Number of units.
        unit: ``token`` or ``character``.
        unit_price_pico: pico-USD per unit; None if there is no price for it.
        amount_nano: nano-USD; None if there is no price.
        rows: Number of rows that used any of it.
        list_price_pico: pico-USD per unit by the table, if the operator's price is another; else None.
    """

    model: str
    context_window: str
    item: str
    quantity: int
    unit: str
    unit_price_pico: Pico | None
    amount_nano: int | None
    rows: int
    list_price_pico: int | None = None

    @property
    def discount_nano(self) -> int:
        """Return the saving by the operator's price against the table's, in nano-USD; may be negative.

        With the amount it adds up to the exact cost at the table's price, rounded once.
        """
        if self.amount_nano is None or self.list_price_pico is None:
            return 0
        return round_pico(times(self.quantity, self.list_price_pico)) - self.amount_nano


class WastedCost(msgspec.Struct, frozen=True, rename="camel"):
    """The cost of rows whose answers are useless for one reason.

    Attributes:
        kind: As in Waste.
        reason: As in Waste.
        rows: Number of rows.
        amount_nano: nano-USD, part of the cost's amount; None if nothing that they used has a price.
    """

    kind: str
    reason: str
    rows: int
    amount_nano: int | None


class QueryCost(msgspec.Struct, frozen=True, rename="camel"):
    """The most that a model's searches may cost: some are free per day and account.

    Attributes:
        model: As in Quantity.
        item: ``grounded_prompt`` or ``search_query``: the unit of the model's fee.
        quantity: Number of units.
        unit_price_pico: pico-USD each; None if no fee is known.
        amount_nano: nano-USD, rounded up; None if no fee is known.
        grounding: Kind of grounding, one of those in ``core.usage``.
    """

    model: str
    item: str
    quantity: int
    unit_price_pico: int | None
    amount_nano: int | None
    grounding: str = WEB_SEARCH


class Cost(msgspec.Struct, frozen=True, rename="camel"):
    """The cost of usage.

    Attributes:
        line_items: In the order of the usage's quantities.
        amount_nano: Sum of the line items that have a price, nano-USD: a floor if ``unpriced_rows``.
        unpriced_rows: Rows whose cost is not, or not wholly, in the amount: no usage, no price, or counts
            that do not fit together.
        price_table: Version of the price table; empty before anything was priced.
        waste: The part of the amount that useless rows cost, by kind and reason; failed rows are free.
        query_fees: Search fees by model, which are in no line item and not in the amount.
    """

    line_items: tuple[LineItem, ...] = ()
    amount_nano: int = 0
    unpriced_rows: int = 0
    price_table: str = ""
    waste: tuple[WastedCost, ...] = ()
    query_fees: tuple[QueryCost, ...] = ()


def unit_price(
    quantity: Quantity, prices: PriceTable, location: str, at: datetime, until: datetime | None = None
) -> Pico | None:
    """Return pico-USD per unit, or None; tool-use tokens of grounded rows are free by Google's rule."""
    if quantity.item == UNBILLED_TOOL_USE:
        return 0
    return prices.unit_price(
        quantity.model,
        quantity.item,
        context_window=quantity.context_window,
        location=location,
        at=at,
        until=until,
    )


def cost_of(
    usage: Usage, prices: PriceTable, *, location: str, at: datetime, until: datetime | None = None
) -> Cost:
    """Price usage exactly: it is rounded to nano-USD once, on the sum.

    Args:
        usage: Usage of a whole job (the amount is rounded once per call).
        prices: The table in force.
        location: Where the job ran; some prices are higher outside ``global``.
        at: When it ran, with a time zone.
        until: End of the time in which it may run, from ``at`` on; each item takes its highest price then.
    """
    unit_prices = [unit_price(quantity, prices, location, at, until) for quantity in usage.quantities]
    amounts = iter(
        apportion(
            [
                times(q.quantity, price)
                for q, price in zip(usage.quantities, unit_prices, strict=True)
                if price is not None
            ]
        )
    )
    by_table = _table_prices(usage, prices, location, at, unit_prices)
    items = tuple(
        LineItem(
            model=q.model,
            context_window=q.context_window,
            item=q.item,
            quantity=q.quantity,
            unit=prices.unit(q.model),
            unit_price_pico=price,
            amount_nano=None if price is None else next(amounts),
            rows=q.rows,
            list_price_pico=by_table[number],
        )
        for number, (q, price) in enumerate(zip(usage.quantities, unit_prices, strict=True))
    )
    return Cost(
        line_items=items,
        amount_nano=sum(item.amount_nano or 0 for item in items),
        # A row without a price may be among the others too.
        unpriced_rows=min(
            usage.rows.unmetered
            + sum(unpriced.rows for unpriced in usage.unpriced)
            + rows_without_price(items).total(),
            usage.rows.succeeded,
        ),
        price_table=prices.version,
        waste=_cost_of_waste(usage.waste, prices, location, at),
        query_fees=tuple(_query_cost(searches, prices) for searches in usage.searches),
    )


def _table_prices(
    usage: Usage, prices: PriceTable, location: str, at: datetime, unit_prices: Sequence[Pico | None]
) -> list[int | None]:
    """Return the table's own price of each quantity; None where it is what is charged, or there is none."""
    if prices.public is prices:
        return [None] * len(unit_prices)
    found = [unit_price(quantity, prices.public, location, at) for quantity in usage.quantities]
    return [
        int(listed) if listed is not None and charged is not None and listed != charged else None
        for listed, charged in zip(found, unit_prices, strict=True)
    ]


def _cost_of_waste(
    waste: tuple[Waste, ...], prices: PriceTable, location: str, at: datetime
) -> tuple[WastedCost, ...]:
    exact: list[int | Fraction] = []
    unknown: list[bool] = []
    for w in waste:
        unit_prices = [unit_price(quantity, prices, location, at) for quantity in w.quantities]
        known = [
            times(q.quantity, price)
            for q, price in zip(w.quantities, unit_prices, strict=True)
            if price is not None
        ]
        exact.append(sum(known))
        unknown.append(not known and bool(unit_prices or w.unmetered))
    return tuple(
        WastedCost(w.kind, w.reason, w.rows, None if is_unknown else amount)
        for w, is_unknown, amount in zip(waste, unknown, apportion(exact), strict=True)
    )


def _query_cost(searches: Quantity, prices: PriceTable) -> QueryCost:
    fee = prices.query_fee(searches.model, searches.item)
    if fee is None:
        return QueryCost(
            searches.model, "search_query", searches.quantity, None, None, grounding=searches.item
        )
    by_prompt = fee.unit == "prompt"
    quantity = searches.rows if by_prompt else searches.quantity
    return QueryCost(
        searches.model,
        "grounded_prompt" if by_prompt else "search_query",
        quantity,
        fee.price_pico,
        -(-quantity * fee.price_pico // PICO_PER_NANO),
        grounding=searches.item,
    )


def rows_without_price(items: tuple[LineItem, ...]) -> Counter[str]:
    """Count rows with an unpriced item by model: in each window, the rows of the most frequent one.

    A row uses several items, so the sum would count it more than once.
    """
    most: dict[tuple[str, str], int] = {}
    for item in items:
        if item.unit_price_pico is None:
            key = (item.model, item.context_window)
            most[key] = max(most.get(key, 0), item.rows)
    rows: Counter[str] = Counter()
    for (model, _), count in most.items():
        rows[model] += count
    return rows
