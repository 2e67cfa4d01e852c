"""Find the unit prices of the items in totals, which store amounts only."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

from batch_gateway.core.accounting.settlement import DailyTotal
from batch_gateway.core.pricing.modalities import LARGEST_COUNT
from batch_gateway.core.pricing.money import PICO_PER_NANO, Pico, times
from batch_gateway.core.pricing.prices import LONGEST_QUEUE, PriceTable
from batch_gateway.core.rows import UNBILLED_TOOL_USE

_LATEST_START = timedelta(days=1) + LONGEST_QUEUE
"""From the beginning of the day on which a job is created to its latest start, whose price applies."""
_MATCHES = 10**6
"""A price matches if it gives the amount with an error of at most one part in this many."""


def is_unpriced(total: DailyTotal, item: str, prices: PriceTable) -> bool:
    """Return True if no unit of an item was priced, so that its amount of 0 does not mean free.

    An item that was priced in part cannot be told from one that was priced in full.
    """
    used = total.items[item]
    if used.amount_nano or used.quantity <= 0:
        return False
    return 0 not in _prices_of(total, item, prices)


def unit_price(total: DailyTotal, item: str, prices: PriceTable) -> Pico | None:
    """Return the price of a unit of an item, in pico-USD; None if no price of the table gives its amount.

    That is so for usage at several prices (short and long prompts), for usage that was priced by an older
    table, and for usage without a price.
    """
    used = total.items[item]
    candidates = _prices_of(total, item, prices)
    if not candidates or is_unpriced(total, item, prices):
        return None
    amount = used.amount_nano * PICO_PER_NANO
    error, nearest = min((abs(Fraction(times(used.quantity, price)) - amount), price) for price in candidates)
    # Each job was rounded separately, and there is at least one in each quarter of an hour.
    return nearest if error <= max(PICO_PER_NANO * len(total.quarters), abs(amount) // _MATCHES) else None


def _prices_of(total: DailyTotal, item: str, prices: PriceTable) -> set[Pico]:
    if item == UNBILLED_TOOL_USE:
        return {0}
    midnight = datetime.fromisoformat(total.day).replace(tzinfo=UTC)
    windows = {prices.context_window(total.model, length) for length in (0, LARGEST_COUNT)}
    found = {
        prices.unit_price(total.model, item, context_window=window, location=total.location, at=at)
        for window in windows
        for at in (midnight, midnight + _LATEST_START)
    }
    return {price for price in found if price is not None}
