"""Windows of budgets, and what a change of a job moves in their balances."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.accounting.budgets import (
    ALL,
    BudgetBalance,
    BudgetExceededError,
    OwnedBudget,
    balance_deltas,
    check_budget,
    check_window,
    owners_of,
    periods_of,
    remaining_reservation,
    reservation_deltas,
    split_owner,
    sum_balances,
    window_of,
)
from batch_gateway.core.jobs.cost_bounds import Bounds
from batch_gateway.core.pricing.cost import Cost
from builders import job_record

MADE = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)
WEEK = ("2026-11-30", *(f"2026-12-0{number}" for number in range(1, 7)))
FOREVER = ((ALL,), None, None)


def day(*date):
    return datetime(*date, tzinfo=UTC)


@pytest.mark.parametrize(
    ("duration", "periods", "start", "reset"),
    [
        ("1d", ("2026-11-30",), day(2026, 11, 30), day(2026, 12, 1)),
        ("24h", ("2026-11-30",), day(2026, 11, 30), day(2026, 12, 1)),
        ("2d", ("2026-11-29", "2026-11-30"), day(2026, 11, 29), day(2026, 12, 1)),
        ("1w", WEEK, day(2026, 11, 30), day(2026, 12, 7)),
        ("1mo", ("2026-11",), day(2026, 11, 1), day(2026, 12, 1)),
        ("3mo", ("2026-10", "2026-11", "2026-12"), day(2026, 10, 1), day(2027, 1, 1)),
    ],
)
def test_a_window_begins_with_the_calendar_not_with_the_key(duration, periods, start, reset):
    assert window_of(duration, MADE) == (periods, start, reset)
    assert window_of(duration, MADE.astimezone(timezone(timedelta(hours=5)))) == (periods, start, reset)


@pytest.mark.parametrize("duration", [None, "", "32d", "121mo", "36h", "1x"])
def test_what_can_be_no_window_never_resets(duration):
    assert window_of(duration, MADE) == FOREVER
    with pytest.raises(ValueError, match="must be whole days up to 31d"):
        check_window(duration or "")


@given(
    st.sampled_from(["1d", "7d", "31d", "1mo", "7mo", "120mo"]),
    st.timedeltas(timedelta(), timedelta(days=36_500)).map(lambda since: day(2000, 1, 1) + since),
)
def test_windows_follow_each_other_without_a_gap(duration, moment):
    check_window(duration)
    window = window_of(duration, moment)
    assert window.start <= moment < window.reset
    assert set(window.periods) & set(periods_of(moment))
    following = window_of(duration, window.reset)
    assert following.start == window.reset
    assert not set(following.periods) & set(window.periods)


def test_a_moment_is_in_its_day_its_month_and_all_time():
    assert periods_of(MADE) == ("2026-11-30", "2026-11", ALL)
    assert periods_of(MADE.astimezone(timezone(timedelta(hours=5)))) == periods_of(MADE)


def test_a_job_counts_for_its_key_and_its_team():
    assert owners_of("k1", "search") == ("key:k1", "team:search")
    assert (owners_of(None, "search"), owners_of("k1", None), owners_of(None, None)) == (
        ("team:search",), ("key:k1",), ()
    )  # fmt: skip
    assert split_owner("team:a:b") == ("team", "a:b")


def test_what_is_spent_and_reserved_may_reach_a_budget_and_no_more():
    budget = OwnedBudget("team:search", "the team 'search'", 100, duration="1mo")
    window = window_of("1mo", MADE)
    check_budget(budget, BudgetBalance(60, 30), 10, window)
    with pytest.raises(BudgetExceededError) as refused:
        check_budget(budget, BudgetBalance(60, 30), 11, window)
    assert (refused.value.balance, refused.value.wanted_nano) == (BudgetBalance(60, 30), 11)
    check_budget(
        msgspec.structs.replace(budget, max_nano=None, soft_nano=1), BudgetBalance(60, 30), 11, window
    )


def test_a_reservation_stands_in_each_period_of_its_time():
    owners = ("key:k1", "team:search")
    found = reservation_deltas(owners, MADE, 7)
    assert found == {(owner, each): BudgetBalance(0, 7) for owner in owners for each in periods_of(MADE)}
    assert reservation_deltas(owners, None, 7) == {}


@pytest.mark.parametrize(("amount", "left"), [(0, 100), (30, 70), (100, 0), (130, 0)])
def test_spending_uses_up_what_was_reserved(amount, left):
    assert remaining_reservation(job_record(MADE, reserved_nano=100), amount) == left
    spent = job_record(MADE, reserved_nano=70, cost=Cost(amount_nano=30))
    assert remaining_reservation(spent, 20) == 70


@pytest.mark.parametrize(
    ("reserved", "spent", "amount", "left"),
    [(60, 40, 10, 90), (60, 40, 55, 45), (0, 120, 10, 90), (0, 120, 110, 0)],
)
def test_what_final_output_takes_back_from_incremental_is_reserved_again(reserved, spent, amount, left):
    """Up to what was reserved at first: 100."""
    job = job_record(
        MADE,
        reserved_nano=reserved,
        reserved_at=MADE,
        estimate=Bounds(1, 2, 100),
        cost=Cost(amount_nano=spent),
    )
    assert remaining_reservation(job, amount, is_replaced=True) == left
    unreserved = msgspec.structs.replace(job, reserved_nano=0, reserved_at=None)
    assert remaining_reservation(unreserved, amount, is_replaced=True) == 0


def test_a_change_of_a_job_moves_its_difference_only():
    reserved = MADE + timedelta(hours=1)  # the next day, and the next month
    before = job_record(MADE, key_id="k1", reserved_nano=100, reserved_at=reserved)
    after = msgspec.structs.replace(before, cost=Cost(amount_nano=30), reserved_nano=70)
    assert balance_deltas(before, before) == {}
    assert balance_deltas(before, after) == {
        (owner, period): change
        for owner in ("key:k1", "team:search")
        for period, change in {
            "2026-11-30": BudgetBalance(30, 0),
            "2026-11": BudgetBalance(30, 0),
            "2026-12-01": BudgetBalance(0, -30),
            "2026-12": BudgetBalance(0, -30),
            ALL: BudgetBalance(30, -30),
        }.items()
    }


def test_what_was_released_without_having_been_reserved_makes_no_room():
    assert sum_balances([BudgetBalance(5, 10), BudgetBalance(7, -40)]) == BudgetBalance(12, 10)
    assert sum_balances([]) == BudgetBalance()
