"""Define the state of the sweep: its cursors, and the notes that one sweep leaves for the next."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol

import msgspec

from batch_gateway.core.accounting.settlement import Output
from batch_gateway.core.jobs.record import JobKey, JobRecord
from batch_gateway.ports.records import Unreadable

Turn = Literal["jobs", "ended", "parked"]


class PlaceNotes(msgspec.Struct, frozen=True, rename="camel"):
    """Progress of listing the jobs of a place.

    Attributes:
        looked: Time of the last listing: all older jobs have been seen, except those in the gap.
        gap: Range of creation times whose jobs have not been listed.
    """

    looked: datetime | None = None
    gap: tuple[datetime, datetime] | None = None


class BudgetNotes(msgspec.Struct, frozen=True, rename="camel"):
    """Progress of checking budgets.

    Attributes:
        ledgers: Mark up to which changes of budget balances have been seen; None: none have.
        records: Time up to which changes of keys and teams have been seen; None: all must be checked.
        due: Owners that are still to be checked, as time ran out.
        over: Owners whose budget is exceeded, with the time when it resets; None for never.
    """

    ledgers: str | None = None
    records: datetime | None = None
    due: tuple[str, ...] = ()
    over: dict[str, datetime | None] = {}


class SweepNotes(msgspec.Struct, frozen=True, rename="camel"):
    """Notes that one sweep leaves for the next.

    Attributes:
        first_place: The place that was listed first, ``project/location``.
        places: Progress in each place, by the same name.
        budgets: Progress of checking budgets.
        bill_compared: UTC day on which our books were last compared with Google's bill; empty for never.
    """

    first_place: str = ""
    places: dict[str, PlaceNotes] = {}
    budgets: BudgetNotes = BudgetNotes()
    bill_compared: str = ""


class SweepStore(Protocol):
    """The part of the store that only the sweep uses. Errors are as in Store."""

    def sweep_notes(self) -> SweepNotes:
        """Return the notes of the last sweep."""

    def put_sweep_notes(self, notes: SweepNotes) -> None:
        """Store notes for the next sweep."""

    def changed_owners(self, mark: str | None) -> tuple[set[str], str | None]:
        """Return owners whose budget balances have changed since a mark, and the mark for the next call."""

    def open_jobs(self, limit: int) -> Sequence[JobRecord | Unreadable]:
        """Return jobs that are not closed, starting after the job that had the last turn.

        Returns:
            At most ``limit`` jobs, each once; the last in order is followed by the first.
        """

    def ended_jobs(self, limit: int) -> Sequence[JobRecord | Unreadable]:
        """Return the open jobs that have ended, as recorded; they have a turn of their own."""

    def parked(self, limit: int) -> Sequence[Output | Unreadable]:
        """Return parked outputs, starting after the one that had the last turn."""

    def pass_turn(self, turn: Turn, last: JobKey | Output) -> None:
        """Store which record had the last turn, for all instances."""

    def watched_jobs(self, due: datetime, limit: int) -> Sequence[JobRecord | Unreadable]:
        """Return closed jobs whose next look is due by a time, the longest due first."""
