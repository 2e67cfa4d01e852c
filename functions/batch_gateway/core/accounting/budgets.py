"""Budgets: how much a key or a team may spend in a window, and the ledger that says what it has.

A ledger entry belongs to an owner and a period. A job's cost is spent in the periods of its createTime;
what a create may cost at most is reserved until the job's output is settled.
"""

from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, NamedTuple

import msgspec

from batch_gateway.core.accounting.durations import months_of, whole_days_of
from batch_gateway.core.jobs.record import JobRecord

BudgetAction = Literal["nothing", "warn", "cancel"]
"""What becomes of running jobs when the budget that they count against is passed."""
ALL = "all"
"""The period of everything ever."""
MOST_DAYS = 31
"""Longest window that is counted in days; longer ones are counted in months."""
MOST_MONTHS = 120
"""Longest window: a read of a ledger takes a few documents for each month."""
_MONDAY = date(1970, 1, 5)
_MONTHS_A_YEAR = 12


class Ledger(msgspec.Struct, frozen=True, rename="camel"):
    """What an owner has spent and reserved in a period, nano-USD; also a change of that."""

    spent_nano: int = 0
    reserved_nano: int = 0

    def __add__(self, other: "Ledger") -> "Ledger":
        return Ledger(self.spent_nano + other.spent_nano, self.reserved_nano + other.reserved_nano)


class Limit(msgspec.Struct, frozen=True):
    """A key's or a team's budget.

    Attributes:
        owner: ``key:ID`` or ``team:ID``.
        name: For people: ``the key 'nightly'``.
        max_nano: nano-USD a window; None if only the soft limit is set.
        soft_nano: nano-USD a window from which on there are warnings, and nothing else; None for none.
        duration: Length of the window: whole days or months; None for one that never resets.
    """

    owner: str
    name: str
    max_nano: int | None
    soft_nano: int | None = None
    duration: str | None = None


class Window(NamedTuple):
    """A budget's window.

    Attributes:
        periods: The ledger's periods that make it up.
        start: Its first moment; None if it has none.
        reset: When the next one begins; None for never.
    """

    periods: tuple[str, ...]
    start: datetime | None
    reset: datetime | None


class BudgetExceededError(Exception):
    """A reservation that a budget has no room for."""

    def __init__(self, limit: Limit, ledger: Ledger, wanted_nano: int, window: Window) -> None:
        super().__init__(f"the budget of {limit.name} has no room for {wanted_nano} nano-USD")
        self.limit = limit
        self.ledger = ledger
        self.wanted_nano = wanted_nano
        self.window = window


def check(limit: Limit, ledger: Ledger, wanted_nano: int, window: Window) -> None:
    """Refuses what would take spent and reserved together beyond a budget.

    Raises:
        BudgetExceededError: It would.
    """
    taken = ledger.spent_nano + ledger.reserved_nano
    if limit.max_nano is not None and taken + wanted_nano > limit.max_nano:
        raise BudgetExceededError(limit, ledger, wanted_nano, window)


def window_of(duration: str | None, now: datetime) -> Window:
    """The window that a moment is in.

    Windows do not depend on when a key was made: days begin at midnight UTC, windows of seven days on
    Mondays, months on their first. Longer ones follow each other from the beginning of 1970 on.

    What is too long, or no duration of a window, is not let in (check_window). If one is on record all the
    same, its window never resets: nothing that was spent in it may be left out.
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
    """Refuse what is no duration of a window.

    Raises:
        ValueError: It is neither whole days nor months, or longer than a window may be.
    """
    if not 1 <= months_of(duration) <= MOST_MONTHS and not 1 <= whole_days_of(duration) <= MOST_DAYS:
        raise ValueError(
            f"must be whole days up to {MOST_DAYS}d, such as 24h or 7d, or months up to {MOST_MONTHS}mo"
        )


def periods_of(moment: datetime) -> tuple[str, ...]:
    """The periods that a moment belongs to: its day, its month, and everything."""
    day = moment.astimezone(UTC).date()
    return (day.isoformat(), f"{day:%Y-%m}", ALL)


def owners_of(key_id: str | None, team: str | None) -> tuple[str, ...]:
    """Whose ledgers a job of that key and team is in."""
    return (*([f"key:{key_id}"] if key_id else []), *([f"team:{team}"] if team else []))


def split_owner(owner: str) -> tuple[str, str]:
    """Return an owner's kind, ``key`` or ``team``, and its id."""
    kind, _, owner_id = owner.partition(":")
    return kind, owner_id


def left_reserved(job: JobRecord, amount_nano: int) -> int:
    """What stays reserved of a job when its cost becomes that amount: what is spent is reserved no more."""
    return max(0, job.reserved_nano - max(0, amount_nano - job.cost.amount_nano))


def reservation(
    owners: tuple[str, ...], made: datetime | None, amount_nano: int
) -> dict[tuple[str, str], Ledger]:
    """The entries of a reservation; of its release, if the amount is negative."""
    if made is None:
        return {}
    return {(owner, period): Ledger(0, amount_nano) for owner in owners for period in periods_of(made)}


def entries(before: JobRecord, after: JobRecord) -> dict[tuple[str, str], Ledger]:
    """What a change of a job's record moves in the ledger, by (owner, period)."""
    moved: dict[tuple[str, str], Ledger] = defaultdict(Ledger)
    owners = owners_of(after.key_id, after.team)
    spent = after.cost.amount_nano - before.cost.amount_nano
    reserved = after.reserved_nano - before.reserved_nano
    for owner in owners:
        for period in periods_of(after.create_time):
            moved[owner, period] += Ledger(spent, 0)
        for period in periods_of(after.reserved_at or after.create_time):
            moved[owner, period] += Ledger(0, reserved)
    return {entry: ledger for entry, ledger in moved.items() if ledger != Ledger()}


def _month(number: int) -> date:
    year, month = divmod(number, _MONTHS_A_YEAR)
    return date(year, month + 1, 1)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
