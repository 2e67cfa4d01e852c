"""Usage is counted by outcome and by item, and what cancels out is gone."""

from batch_gateway.core.usage import Quantity, Rows, Unpriced, Usage, Waste


def used(quantity: int, rows: int, item: str = "input_text") -> Quantity:
    return Quantity("gemini-2.5-flash", "0-200k", item, quantity, rows)


def test_rows_of_each_outcome_are_in_the_total_once() -> None:
    rows = Rows(succeeded=1, failed=20, malformed=300, carried_over=4000, unmetered=1, unrecognized=50_000)
    assert (rows.total, rows.unread) == (54_321, 50_300)


def test_quantities_that_cancel_out_are_gone() -> None:
    usage = Usage(quantities=(used(5, 2),))
    assert (usage - usage).quantities == ()
    less = usage - Usage(quantities=(used(5, 1),))
    assert less.quantities == (used(0, 1),)
    fewer = usage - Usage(quantities=(used(3, 2),))
    assert fewer.quantities == (used(2, 0),)


def test_what_was_wasted_and_what_is_unpriced_add_up_by_reason() -> None:
    blocked = Usage(
        waste=(Waste("blocked", "SAFETY", 1, quantities=(used(5, 1),)),),
        unpriced=(Unpriced("NO_USAGE", 2),),
    )
    failed = Usage(waste=(Waste("failed", "INTERNAL", 3),), unpriced=(Unpriced("NO_PRICE", 1),))
    both = blocked + failed + blocked
    assert both.waste == (
        Waste("blocked", "SAFETY", 2, quantities=(used(10, 2),)),
        Waste("failed", "INTERNAL", 3),
    )
    assert both.unpriced == (Unpriced("NO_PRICE", 1), Unpriced("NO_USAGE", 4))
    assert both - blocked - blocked == failed
