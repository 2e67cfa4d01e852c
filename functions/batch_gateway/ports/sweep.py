"""What the sweep goes by: whose turn it is, and what one sweep leaves to the next."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol

import msgspec

from batch_gateway.core.accounting.settlement import Output
from batch_gateway.core.jobs.record import JobKey, JobRecord
from batch_gateway.ports.records import Unreadable

Turn = Literal["jobs", "ended", "parked"]


class PlaceNotes(msgspec.Struct, frozen=True, rename="camel"):
    """How far the jobs of a place have been looked through.

    Attributes:
        looked: When they were last; what is older has been seen by then, but for the gap.
        gap: Between which times of creation they have not been.
    """

    looked: datetime | None = None
    gap: tuple[datetime, datetime] | None = None


class BudgetNotes(msgspec.Struct, frozen=True, rename="camel"):
    """Which budgets have been checked.

    Attributes:
        ledgers: Until where changes of ledgers have been seen; None: from the beginning on.
        records: Until when changes of keys and teams have been seen; None: all of them are to be checked.
        due: Owners that are to be checked, and there was no time.
        over: Owners whose budget is passed, and when it resets; None for never.
    """

    ledgers: str | None = None
    records: datetime | None = None
    due: tuple[str, ...] = ()
    over: dict[str, datetime | None] = {}


class SweepNotes(msgspec.Struct, frozen=True, rename="camel"):
    """What one sweep leaves to the next.

    Attributes:
        first_place: The place that was listed first, ``project/location``.
        places: What is known of each place, by that name.
        budgets: Which budgets have been checked.
    """

    first_place: str = ""
    places: dict[str, PlaceNotes] = {}
    budgets: BudgetNotes = BudgetNotes()


class SweepStore(Protocol):
    """The part of the books that only the sweep uses. Errors are as in Store."""

    def sweep_notes(self) -> SweepNotes:
        """What the last sweep has left."""

    def put_sweep_notes(self, notes: SweepNotes) -> None:
        """Leaves that to the next sweep."""

    def changed_owners(self, mark: str | None) -> tuple[set[str], str | None]:
        """Owners whose ledgers have changed since a mark, and the mark for the next time."""

    def open_jobs(self, limit: int) -> Sequence[JobRecord | Unreadable]:
        """Jobs that are not closed, beginning with the one after that which had the last turn.

        Returns:
            At most ``limit`` jobs; after the last in order comes the first again, and none comes twice.
        """

    def ended_jobs(self, limit: int) -> Sequence[JobRecord | Unreadable]:
        """Those of them that have ended, as far as is known, in a turn of their own."""

    def parked(self, limit: int) -> Sequence[Output | Unreadable]:
        """Outputs that belong to no known job, likewise."""

    def pass_turn(self, turn: Turn, last: JobKey | Output) -> None:
        """Notes who had the last turn, for all instances."""

    def watched_jobs(self, due: datetime, limit: int) -> Sequence[JobRecord | Unreadable]:
        """Closed jobs whose next look is due by then, the longest due first."""
