"""Budgets of keys and teams, and the balances that are checked against them.

A balance belongs to an owner and a period. A job's cost is spent in the periods of its createTime; the most
that a create may cost is reserved until the job's output is settled, in the same periods once the job is on
record.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, NamedTuple

import msgspec

from batch_gateway.core.accounting.durations import months_of, whole_days_of
from batch_gateway.core.jobs.record import JobRecord

BudgetAction = Literal["nothing", "warn", "cancel"]
"""Action on running jobs once the budget that they count against is exceeded."""
ALL = "all"
"""The period that covers all time."""
MOST_DAYS = 31
"""Longest window that is counted in days; longer ones are counted in months."""
MOST_MONTHS = 120
"""Longest window: reading a balance takes a few documents for each year."""
_MONDAY = date(1970, 1, 5)
_MONTHS_A_YEAR = 12


class BudgetBalance(msgspec.Struct, frozen=True, rename="camel"):
    """The nano-USD that an owner has spent and reserved in a period, or a change to them."""

    spent_nano: int = 0
    reserved_nano: int = 0

    def __add__(self, other: "BudgetBalance") -> "BudgetBalance":
        return BudgetBalance(self.spent_nano + other.spent_nano, self.reserved_nano + other.reserved_nano)


class OwnedBudget(msgspec.Struct, frozen=True):
    """A budget together with the key or team that it belongs to.

    Attributes:
        owner: ``key:ID`` or ``team:ID``.
        name: For people: ``the key 'nightly'``.
        max_nano: nano-USD per window; None if only the soft limit is set.
        soft_nano: nano-USD per window above which there are warnings and nothing else; None for no warnings.
        duration: Length of the window in whole days or months; None if it never resets.
    """

    owner: str
    name: str
    max_nano: int | None
    soft_nano: int | None = None
    duration: str | None = None


class Window(NamedTuple):
    """A budget's window.

    Attributes:
        periods: The periods that make it up, as in the balances.
        start: Its first moment; None if it has no beginning.
        reset: When the next one begins; None for never.
    """

    periods: tuple[str, ...]
    start: datetime | None
    reset: datetime | None


class BudgetExceededError(Exception):
    """A budget has no room for a reservation."""

    def __init__(self, budget: OwnedBudget, balance: BudgetBalance, wanted_nano: int, window: Window) -> None:
        super().__init__(f"the budget of {budget.name} has no room for {wanted_nano} nano-USD")
        self.budget = budget
        self.balance = balance
        self.wanted_nano = wanted_nano
        self.window = window


def check_budget(budget: OwnedBudget, balance: BudgetBalance, wanted_nano: int, window: Window) -> None:
    """Check that a budget has room for a further reservation.

    Raises:
        BudgetExceededError: Spent and reserved together would exceed the budget.
    """
    taken = balance.spent_nano + balance.reserved_nano
    if budget.max_nano is not None and taken + wanted_nano > budget.max_nano:
        raise BudgetExceededError(budget, balance, wanted_nano, window)


def window_of(duration: str | None, now: datetime) -> Window:
    """Return the window that contains a moment.

    Windows do not depend on when a key was made: days begin at midnight UTC, windows of seven days on
    Mondays, months on their first day. Longer ones follow each other from the beginning of 1970.

    ``check_window`` refuses durations that are too long or invalid. If one is on record all the same, its
    window never resets, so that no spend is left out.
    """
    months, days = months_of(duration or ""), whole_days_of(duration or "")
    if not 1 <= months <= MOST_MONTHS and not 1 <= days <= MOST_DAYS:
        return Window((ALL,), None, None)
    today = now.astimezone(UTC).date()
    if months:
        first = (today.year * _MONTHS_A_YEAR + today.month - 1) // months * months
        spans = tuple(_month(first + number) for number in range(months + 1))
        periods = tuple(f"{span:%Y-%m}" for span in spans[:-1])
        return Window(periods, _midnight(spans[0]), _midnight(spans[-1]))
    start = today - timedelta(days=(today - _MONDAY).days % days)
    spans = tuple(start + timedelta(days=number) for number in range(days + 1))
    return Window(tuple(span.isoformat() for span in spans[:-1]), _midnight(start), _midnight(spans[-1]))


def check_window(duration: str) -> None:
    """Check that a duration can be the length of a window.

    Raises:
        ValueError: It is neither whole days nor months, or it is too long.
    """
    if not 1 <= months_of(duration) <= MOST_MONTHS and not 1 <= whole_days_of(duration) <= MOST_DAYS:
        raise ValueError(
            f"must be whole days up to {MOST_DAYS}d, such as 24h or 7d, or months up to {MOST_MONTHS}mo"
        )


def periods_of(moment: datetime) -> tuple[str, ...]:
    """Return the periods that a moment belongs to: its day, its month and all time."""
    day = moment.astimezone(UTC).date()
    return (day.isoformat(), f"{day:%Y-%m}", ALL)


def owners_of(key_id: str | None, team: str | None) -> tuple[str, ...]:
    """Return the owners of the balances that a job of a key and team counts in."""
    return (*([f"key:{key_id}"] if key_id else []), *([f"team:{team}"] if team else []))


def split_owner(owner: str) -> tuple[str, str]:
    """Return an owner's kind, ``key`` or ``team``, and its id."""
    kind, _, owner_id = owner.partition(":")
    return kind, owner_id


def remaining_reservation(job: JobRecord, amount_nano: int, *, is_replaced: bool = False) -> int:
    """Return the nano-USD that stay reserved once a job costs an amount: spending uses up the reservation.

    Args:
        job: The record before.
        amount_nano: Its new cost.
        is_replaced: Whether final output has taken the place of incremental ones. Its other shards may still
            come, so what the job no longer costs is reserved again.
    """
    left = job.reserved_nano + job.cost.amount_nano - amount_nano
    most = job.reserved_nano
    if is_replaced and job.reserved_at and job.estimate and job.estimate.high_nano is not None:
        most = max(most, job.estimate.high_nano - amount_nano)
    return max(0, min(left, most))


def reservation_deltas(
    owners: tuple[str, ...], made: datetime | None, amount_nano: int
) -> dict[tuple[str, str], BudgetBalance]:
    """Return what a reservation adds to balances, by (owner, period); a negative amount releases it."""
    if made is None:
        return {}
    return {(owner, period): BudgetBalance(0, amount_nano) for owner in owners for period in periods_of(made)}


def reservation_moves(
    owners: tuple[str, ...], made: datetime | None, created: datetime, amount_nano: int
) -> dict[tuple[str, str], BudgetBalance]:
    """Return what moves a reservation from the periods of its time to those in which its job will spend it.

    They differ if Vertex AI created the job after midnight, or long after the reservation was made.
    """
    if made is None:
        return {}
    moved: dict[tuple[str, str], BudgetBalance] = defaultdict(BudgetBalance)
    for moment, amount in ((made, -amount_nano), (created, amount_nano)):
        for entry, change in reservation_deltas(owners, moment, amount).items():
            moved[entry] += change
    return {entry: change for entry, change in moved.items() if change != BudgetBalance()}


def sum_balances(balances: Iterable[BudgetBalance]) -> BudgetBalance:
    """Return the sum over the periods of a window; a negative reserved amount counts as nothing.

    Jobs of a version that kept balances in another form release what they reserved from balances that never
    had it. That must not make room in a budget.
    """
    total = BudgetBalance()
    for balance in balances:
        total += BudgetBalance(balance.spent_nano, max(0, balance.reserved_nano))
    return total


def balance_deltas(before: JobRecord, after: JobRecord) -> dict[tuple[str, str], BudgetBalance]:
    """Return what a change of a job record adds to balances, by (owner, period)."""
    deltas: dict[tuple[str, str], BudgetBalance] = defaultdict(BudgetBalance)
    owners = owners_of(after.key_id, after.team)
    spent = after.cost.amount_nano - before.cost.amount_nano
    reserved = after.reserved_nano - before.reserved_nano
    for owner in owners:
        for period in periods_of(after.create_time):
            deltas[owner, period] += BudgetBalance(spent, 0)
        for period in periods_of(after.reserved_at or after.create_time):
            deltas[owner, period] += BudgetBalance(0, reserved)
    return {key: delta for key, delta in deltas.items() if delta != BudgetBalance()}


def _month(number: int) -> date:
    year, month = divmod(number, _MONTHS_A_YEAR)
    return date(year, month + 1, 1)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
