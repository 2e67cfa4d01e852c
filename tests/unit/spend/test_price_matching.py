"""Match totals with prices."""

from datetime import UTC, datetime

import pytest

from batch_gateway.core.accounting.settlement import DailyTotal, ItemTotal
from batch_gateway.core.pricing import prices
from batch_gateway.core.spend.price_matching import is_unpriced, unit_price

TABLE = prices.load()
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def price_at(time, model, item):
    return TABLE.unit_price(model, item, context_window="0-200k", location="us-central1", at=time)


def cell(quantity, amount, model="gemini-2.5-flash", item="input_text", *, day="2026-11-22", quarters=1):
    shares = {str(number): 0 for number in range(quarters)}
    place = ("nightly", "search", "acme-batch", "us-central1", {})
    return DailyTotal(day, model, *place, quarters=shares, items={item: ItemTotal(quantity, amount)})


def test_a_price_is_found_by_what_was_paid():
    assert unit_price(cell(1000, 150_000), "input_text", TABLE) == 150_000
    assert unit_price(cell(1000, 1_250_000, "gemini-2.5-pro"), "input_text", TABLE) == 1_250_000
    assert unit_price(cell(1000, 625_000, "gemini-2.5-pro"), "input_text", TABLE) == 625_000


def test_an_amount_of_no_price_in_the_table_has_none():
    assert unit_price(cell(1000, 300_000), "input_text", TABLE) is None
    assert unit_price(cell(1000, 5), "input_text", TABLE) is None
    assert unit_price(cell(1000, 0, "mystery-1"), "input_text", TABLE) is None


def test_each_job_was_rounded_by_itself():
    # Three jobs of a token at 27.5 nano-USD: 28 + 28 + 28.
    named = ("gemini-3.1-flash-lite", "cached_input_text")
    price = price_at(NOW, *named)
    assert price % 1000, "the test needs a price that is rounded"
    amount = 3 * round(price / 1000)
    assert unit_price(cell(3, amount, *named, quarters=3), named[1], TABLE) == price


def test_nought_for_something_is_no_price_however_little_it_was():
    assert (
        unit_price(
            cell(1, 0, "gemini-3.1-flash-lite", "cached_input_text", quarters=90), "cached_input_text", TABLE
        )
        is None
    )


def test_a_price_that_changes_while_jobs_wait_is_found():
    """A job created on the last day of a price may begin to run under the next one."""
    model = "gemini-4-argon"
    found = {price_at(datetime(2026, *day, tzinfo=UTC), model, "input_text") for day in [(11, 30), (12, 1)]}
    assert len(found) == 2
    for price in found:
        assert unit_price(cell(10**6, price * 1000, model, day="2026-11-30"), "input_text", TABLE) == price


@pytest.mark.parametrize(
    ("quantity", "amount", "model", "item", "unpriced"),
    [
        (10, 0, "mystery-1", "input_text", True),
        (10, 0, "gemini-2.5-flash", "output_video", True),
        (10, 0, "gemini-2.5-flash", "input_text", True),  # settled before the table had the price
        (10, 1500, "gemini-2.5-flash", "input_text", False),
        (10, 0, "gemini-2.5-flash", "input_grounding", False),
        (10, 0, "mystery-1", "input_grounding", False),
        (0, 0, "mystery-1", "input_text", False),
    ],
)
def test_nought_is_unpriced_unless_it_is_the_price(quantity, amount, model, item, unpriced):
    assert is_unpriced(cell(quantity, amount, model, item), item, TABLE) is unpriced
