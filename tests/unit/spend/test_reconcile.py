"""Our books held against Google's bill, with independent figures."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest

from batch_gateway.core.accounting.settlement import DailyTotal, ItemTotal
from batch_gateway.core.spend.reconcile import REASONS, Billed, compare

FLASH = "gemini-3.8-flash"
OUTPUT = "Gemini 3.8 Flash Global Text Output - Batch Predictions"
INPUT = "Gemini 3.8 Flash Global Text Input - Batch Predictions"
DAY = "2026-11-02"
LATER = datetime(2026, 11, 20, tzinfo=UTC)


def total(day=DAY, *, model=FLASH, project="acme", unpriced=0, **items):
    return DailyTotal(
        day=day,
        model=model,
        api_key="k",
        team="",
        project=project,
        location="global",
        labels={},
        quarters={"0": sum(items.values())},
        items={name: ItemTotal(1000, nano) for name, nano in items.items()},
        unpriced_rows=unpriced,
    )


def billed(cost=0, description=OUTPUT, **changes):
    given = {
        "day": DAY,
        "project": "acme",
        "sku": description[:20],
        "description": description,
        "currency": "USD",
        "rate": None,
        "cost": Decimal(cost),
        "at_list": None,
        "discounts": Decimal(0),
        "promotions": Decimal(0),
    }
    return Billed(**{**given, **changes})


def lines(totals, bill, now=LATER):
    return {(line.day, line.model, line.item): line for line in compare(totals, bill, [FLASH], now).lines}


def reasons(totals, bill, now=LATER):
    (line,) = compare(totals, bill, [FLASH], now).lines
    return line.reasons


def test_a_line_for_each_item_with_both_amounts_and_its_skus():
    long = "Gemini 3.8 Flash Global Long Text Output - Batch Predictions"
    found = lines(
        [total(output_text=7 * 10**9, output_thoughts=3 * 10**9, input_text=10**9)],
        [billed("6", OUTPUT), billed("4", long), billed("1", INPUT)],
    )
    output = found[DAY, FLASH, "output"]
    assert (output.ours_nano, output.google_nano, output.reasons) == (10 * 10**9, 10 * 10**9, ())
    assert {(sku.description, sku.amount_nano) for sku in output.skus} == {
        (OUTPUT, 6 * 10**9),
        (long, 4 * 10**9),
    }
    assert found[DAY, FLASH, "input"].google_nano == 10**9


def test_the_sums_and_their_drift():
    found = compare([total(output_text=98 * 10**9)], [billed("100")], [FLASH], LATER)
    assert (found.ours_nano, found.google_nano, found.drift_percent) == (98 * 10**9, 100 * 10**9, Fraction(2))


@pytest.mark.parametrize(
    ("ours", "google", "drift"),
    [(10, 1, 90), (1, 10, 90), (10, 0, 100), (0, 10, 100), (10, -3, 100), (3, -10, 100), (0, 0, 0)],
)
def test_the_drift_is_of_the_larger_side(ours, google, drift):
    found = compare([total(output_text=ours * 10**9)], [billed(google)], [FLASH], LATER)
    assert found.drift_percent == drift


def test_there_is_no_drift_while_an_amount_is_not_converted():
    bill = [billed("10"), billed("1500", currency="JPY")]
    assert compare([total(output_text=10**9)], bill, [FLASH], LATER).drift_percent is None


def test_a_sku_of_an_unknown_model_counts_in_the_sum_and_has_a_line_of_its_own():
    found = compare([], [billed("5", "Somebody's Text Input - Batch")], [FLASH], LATER)
    (line,) = found.lines
    assert (line.model, line.item, line.reasons) == (None, "input", ("UNKNOWN_SKU",))
    assert found.google_nano == 5 * 10**9


def test_what_is_not_of_batch_jobs_is_shown_and_not_compared():
    online = "Gemini 3.8 Flash Global Text Output - Predictions"
    found = compare([], [billed("5", online), billed("1", online)], [FLASH], LATER)
    assert (found.lines, found.google_nano) == ([], 0)
    assert [(sku.description, sku.amount_nano) for sku in found.not_compared] == [(online, 6 * 10**9)]


def test_another_currency_is_converted_and_without_a_rate_left_out():
    euro = billed("92", currency="EUR", rate=Decimal("0.92"))
    unknown = billed("50", currency="JPY")
    found = compare([total(output_text=100 * 10**9)], [euro, unknown], [FLASH], LATER)
    assert (found.google_nano, found.unconverted) == (100 * 10**9, [unknown])
    assert reasons([total(output_text=98 * 10**9)], [euro]) == ("CURRENCY",)


def test_an_amount_without_a_rate_is_the_reason_of_its_line():
    unknown = billed("150", currency="JPY")
    ours = total(output_text=10**9)
    assert reasons([ours], [unknown]) == ("CURRENCY",)
    # What could be converted agrees, but is not all.
    assert reasons([ours], [billed("1"), unknown]) == ("CURRENCY",)
    # Jobs run on later days than that of their creation.
    later = msgspec.structs.replace(unknown, day="2026-11-03")
    assert reasons([ours], [later]) == ("CURRENCY",)
    assert reasons([ours], [billed("1"), later]) == ()
    assert reasons([total(unpriced=2, output_text=10**9)], [unknown]) == ("CURRENCY", "UNPRICED_ROWS")
    other = billed("150", INPUT, currency="JPY")
    assert reasons([ours], [other]) == ("NO_SKU",)


@pytest.mark.parametrize(
    ("ours", "bill", "expected"),
    [
        # A negotiated discount that our prices lack: as a credit, or in the price.
        (100, {"cost": Decimal(93), "discounts": Decimal(-7)}, "DISCOUNT"),
        (100, {"cost": Decimal(93), "at_list": Decimal(100)}, "LIST_PRICE"),
        # An introductory price that is given as a promotional credit.
        (50, {"cost": Decimal(100), "promotions": Decimal(-50)}, "PROMOTION"),
        (70, {"cost": Decimal(100), "discounts": Decimal(-7)}, "UNEXPLAINED"),
        # Credits that bring a bill to 0 leave a bill.
        (100, {"cost": Decimal(0), "discounts": Decimal(-100)}, "DISCOUNT"),
        (100, {"cost": Decimal(0)}, "UNEXPLAINED"),
    ],
)
def test_a_reason_is_given_only_if_the_amounts_show_it(ours, bill, expected):
    assert reasons([total(output_text=ours * 10**9)], [billed(**bill)]) == (expected,)


def test_amounts_that_agree_need_no_reason():
    assert reasons([total(output_text=99 * 10**9, unpriced=3)], [billed("100")]) == ()
    # A cent at most, whatever part of the amounts that is.
    assert reasons([total(output_text=10_000_000)], [billed("0.02")]) == ()
    assert reasons([total(output_text=9_999_999)], [billed("0.02")]) == ("UNEXPLAINED",)


def test_what_is_not_in_our_books_is_told_from_what_has_no_price():
    assert reasons([], [billed("5")]) == ("NOT_IN_BOOKS",)
    assert reasons([total(unpriced=4, output_text=10**9)], [billed("5")]) == ("UNPRICED_ROWS",)
    priceless = [total(unpriced=4, output_text=0)]
    assert reasons(priceless, [billed("5")]) == ("UNPRICED_ROWS",)


def test_days_that_the_export_may_not_have_yet():
    ours = [total(output_text=10**9)]
    settled = datetime(2026, 11, 5, tzinfo=UTC)
    soon = settled - timedelta(seconds=1)
    assert reasons(ours, [], soon) == ("EXPORT_LAG",)
    assert reasons(ours, [billed("0.5")], soon) == ("EXPORT_LAG",)
    assert reasons(ours, [], settled) == ("NO_SKU",)
    assert reasons(ours, [billed("0.5")], settled) == ("UNEXPLAINED",)


def test_nothing_is_missing_from_an_export_that_has_more_or_agrees_in_another_way():
    ours = [total(output_text=10 * 10**9)]
    soon = datetime(2026, 11, 3, 12, tzinfo=UTC)
    assert reasons(ours, [billed("20")], soon) == ("UNEXPLAINED",)
    assert reasons([], [billed("20")], soon) == ("NOT_IN_BOOKS",)
    assert reasons(ours, [billed("9", discounts=Decimal(-1))], soon) == ("DISCOUNT",)
    ran_later = lines(ours, [billed("10", day="2026-11-03")], soon)
    assert {line.reasons for line in ran_later.values()} == {("OTHER_DAY",)}


def test_a_job_that_ran_after_midnight():
    found = lines([total(output_text=10**9)], [billed("1", day="2026-11-03")])
    assert {line.reasons for line in found.values()} == {("OTHER_DAY",)}


def test_projects_and_days_are_apart():
    found = compare([total(output_text=10**9)], [billed("1", project="other")], [FLASH], LATER)
    assert [(line.project, line.reasons) for line in found.lines] == [
        ("acme", ("NO_SKU",)),
        ("other", ("NOT_IN_BOOKS",)),
    ]


def test_each_reason_says_what_to_do():
    assert all(text.endswith(".") for text in REASONS.values())
