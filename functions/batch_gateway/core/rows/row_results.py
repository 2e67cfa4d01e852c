"""Describe single rows of output: their state, usage and exact cost.

Rows are read by the readers that settlement uses, and described by the sums over one row alone, so that the
amounts of a job's rows add up to its cost before it is rounded.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from fractions import Fraction
from typing import Annotated

import msgspec
from msgspec import Meta

from batch_gateway.core.answers import Count, Money
from batch_gateway.core.pricing.cost import LineItem, unit_price
from batch_gateway.core.pricing.money import Pico, format_pico, times
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.core.rows.object_readers import SingleRow
from batch_gateway.core.rows.sums import Sums
from batch_gateway.core.usage import NO_PRICE, NO_USAGE, Key, Quantity

STATES = (
    *("succeeded", "failed", "blocked", "truncated"),
    *("malformed", "unrecognized", "carriedOver", "unpriced"),
)
"""States of rows. What a cost counts as succeeded is succeeded, blocked, truncated or unpriced here."""


COLUMNS = (
    *("row", "key", "state", "reason", "model"),
    *("inputTokens", "cachedInputTokens", "outputTokens", "thoughtsTokens", "amount"),
)

RowState = Annotated[str, Meta(extra_json_schema={"enum": list(STATES)})]
_Number = Annotated[msgspec.Raw, Meta(extra_json_schema={"type": "number"})]


class RowTokens(msgspec.Struct, rename="camel", gc=False):
    """Tokens of a row, as in those of a cost.

    Attributes:
        output_tokens: Includes thoughts.
    """

    input_tokens: Count
    cached_input_tokens: Count
    output_tokens: Count
    thoughts_tokens: Count


class RowResult(msgspec.Struct, gc=False):
    """One line of ``view=usage``. With ``view=full``, a line is what Vertex AI wrote.

    Attributes:
        row: Its number among the job's rows, from 1.
        key: The row's own ``key`` or ``custom_id``; null: none.
        reason: Why it failed, was blocked, was cut off or is unpriced; null: none of these.
        model: Its model; null if it was not answered, or does not say.
        amount: USD, not rounded. Of an unpriced row, the part that has a price. null if nothing of its cost
            is known.
    """

    row: Annotated[int, Meta(ge=1)]
    key: str | _Number | None
    state: RowState
    reason: str | None
    model: str | None
    usage: RowTokens
    amount: Money | None


class Rates(dict[Key, int | Fraction | None]):
    """Unit prices in pico-USD by (model, context window, item), exact; None where there is no price.

    Args:
        priced: The line items of the job's cost: what is on record stays what it cost.
        prices: The price table in force, for what is not settled yet.
        location: Where the job ran.
        at: The time whose prices apply.
    """

    def __init__(
        self, priced: Iterable[LineItem], prices: PriceTable, *, location: str, at: datetime
    ) -> None:
        super().__init__(
            ((item.model, item.context_window, item.item), _exact(item.unit_price_pico)) for item in priced
        )
        self._prices = prices
        self._location = location
        self._at = at

    def __missing__(self, key: Key) -> int | Fraction | None:
        self[key] = price = _exact(unit_price(Quantity(*key, 0, 0), self._prices, self._location, self._at))
        return price


def _exact(price: Pico | None) -> int | Fraction | None:
    return None if price is None else times(1, price)


def describe(
    number: int, row: SingleRow, rates: Mapping[Key, int | Fraction | None], states: AbstractSet[str]
) -> RowResult | None:
    """Return one row's result.

    Args:
        number: Its number.
        row: The row as it was read.
        rates: Unit prices.
        states: States of rows to keep; all if it is empty. A row that was blocked or cut off may be unpriced,
            too, and is kept for either.

    Returns:
        None if the row is in none of the states.
    """
    sums = row.sums
    unknown, pico = _cost(sums, rates)
    if sums.waste:
        ((state, reason),) = sums.waste
    elif unknown is not None:
        state, reason = "unpriced", unknown
    else:
        state, reason = _outcome(sums), None
    if states and state not in states and (unknown is None or "unpriced" not in states):
        return None
    is_unread = sums.malformed or sums.unrecognized
    return RowResult(
        number,
        row.key,
        state,
        reason,
        sums.model,
        RowTokens(sums.input, sums.cached, sums.output, sums.thoughts),
        None if is_unread or (unknown is not None and not pico) else format_pico(pico),
    )


def _cost(sums: Sums, rates: Mapping[Key, int | Fraction | None]) -> tuple[str | None, int | Fraction]:
    """Return why the cost of a row is not, or not wholly, known, if so, and its known part in pico-USD."""
    unknown: str | None = None
    pico: int | Fraction = 0
    for key, (quantity, _) in sums.quantities.items():
        price = rates[key]
        if price is None:
            unknown = NO_PRICE
        else:
            pico += quantity * price
    if sums.unmetered:
        unknown = NO_USAGE
    elif sums.doubts:
        (unknown,) = sums.doubts
    return unknown, pico


def _outcome(sums: Sums) -> str:
    if sums.succeeded:
        return "succeeded"
    if sums.carried_over:
        return "carriedOver"
    return "malformed" if sums.malformed else "unrecognized"
