"""The books."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

import msgspec

from batch_gateway.core.accounting.budgets import BudgetBalance, OwnedBudget, owners_of
from batch_gateway.core.accounting.settlement import Change, Checkpoint, DailyTotal, Output
from batch_gateway.core.jobs.cost_bounds import Bounds
from batch_gateway.core.jobs.labels import TEAM_LABEL
from batch_gateway.core.jobs.record import JobKey, JobRecord, Observation
from batch_gateway.core.jobs.sent import Sent
from batch_gateway.core.notify.notifications import Event
from batch_gateway.ports.notifications import Outbox
from batch_gateway.ports.records import Unreadable
from batch_gateway.ports.sweep import SweepStore

Settlement = Callable[[JobRecord, Output | None, Sequence[Output]], Change | None]
"""(job as it stands, the output as settled before, the incremental outputs whose place it takes) -> what
changes, or None: nothing to do."""


STORED_FIELDS = ("state", "team", "api_key", "project", "location")
"""What jobs can be listed by without reading others."""


class StoreUnavailableError(Exception):
    """Firestore did not answer, or not in time. The operation may be tried again."""


class Submission(msgspec.Struct, frozen=True, rename="camel"):
    """A create that is about to be sent: kept until its job is recorded or it is known to be none.

    One with an Idempotency-Key is kept for a day, with its answer.

    Attributes:
        id: Unique; of one with an Idempotency-Key, the hash of caller and key.
        project: Id.
        location: As in the path.
        api_key: Alias of the caller's key.
        team: The caller's team, if any.
        display_name: Of the job to be; what people find it by if its record is missing.
        sent: What the job can be known by if the answer is lost and there is no marker.
        created: When it was last sent.
        body_hash: SHA-256 of project, location and body, if there is an Idempotency-Key; else None.
        marker: Value of the label that the job carries, by which it can be found; empty without an
            Idempotency-Key.
        answer: The job resource that it was answered with, if it was; empty if that is too large to keep.
        job: Name of that job.
        expires: When the Idempotency-Key may be used for something else.
        key_id: Of the caller's key; None for the administrator's.
        reserved_nano: What is reserved for it in the budgets of key and team, nano-USD.
        reserved_at: When it was reserved.
        estimate: What its job is expected to cost.
    """

    id: str
    project: str
    location: str
    api_key: str
    team: str | None
    display_name: str
    created: datetime
    body_hash: str | None = None
    marker: str = ""
    answer: bytes | None = None
    expires: datetime | None = None
    key_id: str | None = None
    reserved_nano: int = 0
    reserved_at: datetime | None = None
    estimate: Bounds | None = None
    sent: Sent | None = None
    job: str = ""

    @property
    def owners(self) -> tuple[str, ...]:
        """Whose budgets it is reserved in."""
        return owners_of(self.key_id, self.team)

    def is_over(self, now: datetime) -> bool:
        """Whether its Idempotency-Key may be used for something else."""
        return self.expires is not None and self.expires <= now

    def record(self, job: JobRecord) -> JobRecord:
        """The job that came of it, as the caller's; the administrator's is its label's team's."""
        team = self.team if self.key_id else job.seen.labels.get(TEAM_LABEL)
        return msgspec.structs.replace(
            job,
            api_key=self.api_key,
            team=team,
            key_id=self.key_id,
            reserved_at=self.reserved_at,
            estimate=self.estimate,
        )


class Observed(NamedTuple):
    """A job's record before and after somebody looked at the job."""

    before: JobRecord
    now: JobRecord


class Store(Outbox, SweepStore, Protocol):
    """The books, in Firestore.

    Every method raises StoreUnavailableError if it does not answer, and RecordError for a record that it
    does not take, or that is asked for by name and cannot be read. Lists of records have an Unreadable in
    its place, or none: it is named in the log then, and costs the others nothing.
    """

    def ping(self) -> None:
        """Returns if the store answers."""

    def begin_submission(
        self, submission: Submission, limits: Sequence[OwnedBudget] = ()
    ) -> Submission | None:
        """Notes a create before it is sent, and reserves what it may cost, in one transaction.

        Returns:
            The submission with that id that is there already and is not over; None if this one was noted.

        Raises:
            BudgetExceededError: A limit has no room for it; nothing was noted.
        """

    def retake_submission(self, old: Submission, new: Submission) -> bool:
        """Replaces a submission, unless somebody else did since it was read; whether it was replaced."""

    def open_submissions(self, limit: int) -> Sequence[Submission | Unreadable]:
        """Submissions without an answer."""

    def drop_submission(self, submission: Submission) -> None:
        """Forgets a create that made no job, and releases what was reserved for it."""

    def budget_balances(self, entries: Iterable[tuple[str, tuple[str, ...]]]) -> dict[str, BudgetBalance]:
        """What owners have spent and reserved: (owner, periods) -> by owner the sum over its periods."""

    def add_job(self, job: JobRecord, submission: Submission | None = None) -> None:
        """Records a new job and settles its submission at once. A job on record stays as it is.

        A submission with an answer is kept with it, any other is forgotten. What it had reserved is
        reserved for the job from now on, if this put it on record; else it is released.
        """

    def get_job(self, key: JobKey) -> JobRecord | None:
        """A job's record; None if there is none."""

    def observe(self, seen: Mapping[JobKey, Observation]) -> dict[JobKey, Observed]:
        """Brings records up to date with what was seen; writes only what changed.

        An observation older than the recorded one changes nothing.

        Returns:
            Of those jobs that are on record: how they stood, and how they stand.
        """

    def amend_job(
        self,
        key: JobKey,
        change: Callable[[JobRecord], JobRecord | None],
        event: Callable[[JobRecord], Event | None] = ...,
    ) -> tuple[JobRecord, Event | None] | None:
        """Changes a job's record, nothing that totals depend on, and notes an event of it, all or nothing.

        Args:
            key: The job; must be on record.
            change: Given the record, as it shall stand, or None to leave it.
            event: Given the changed record, what goes out of it; nothing by default.

        Returns:
            The changed record and its event; None if it was left.
        """

    def jobs_by_directory(self, directory: str) -> list[JobRecord]:
        """Jobs whose recorded output directory this is (more than one is Vertex's mistake)."""

    def jobs_without_directory(self, output_prefix: str, limit: int) -> list[JobRecord]:
        """Jobs with this output prefix that, as far as is known, run and have no output directory yet."""

    def get_outputs(self, key: JobKey) -> list[Output]:
        """A job's settled outputs, by URI."""

    def get_output(self, key: JobKey, uri: str) -> tuple[Output | None, Checkpoint | None]:
        """Return an output as it was last settled, and how far it was read since; None each if not at all."""

    def get_job_and_outputs(self, key: JobKey) -> tuple[JobRecord, list[Output]] | None:
        """A job's record and its outputs as they stood at one moment."""

    def jobs_created(
        self, start: datetime, end: datetime, after: tuple[datetime, JobKey] | None, limit: int
    ) -> list[JobRecord]:
        """Jobs with ``start <= createTime < end``, the oldest first.

        Args:
            start: From when on.
            end: Until when.
            after: Time and key of the last job of the page before; None for the first page.
            limit: Number of jobs in a page.
        """

    def recent_jobs(
        self,
        scope: tuple[str, str] | None,
        since: datetime | None,
        before: tuple[datetime, JobKey] | None,
        limit: int,
        *,
        until: datetime | None = None,
        equal: Mapping[str, str] = {},
    ) -> list[JobRecord]:
        """Jobs, the newest first.

        Args:
            scope: Only those of ``("team", id)`` or ``("key_id", id)``; None for everybody's.
            since: Only those created from then on; None for any.
            before: Time and key of the last job of the page before; None for the first page.
            limit: Number of jobs in a page.
            until: Only those created before then; None for any.
            equal: Only those that have these values, by names of STORED_FIELDS.
        """

    def reprice(self, key: JobKey, repricing: Callable[[JobRecord], Change | None]) -> JobRecord | None:
        """Commits a job's new price and the totals, as settle does.

        Returns:
            The job as it then stands; None if there was nothing to do.
        """

    def settle(self, key: JobKey, output: Output, settlement: Settlement) -> JobRecord | None:
        """Commit output, job and totals in one transaction.

        The incremental outputs whose place the output takes are marked as superseded in it.

        Args:
            key: The job; must be on record.
            output: The output as just read.
            settlement: Computes what changes; may be called again if the transaction is.

        Returns:
            The job as it then stands; None if there was nothing to do.
        """

    def park(self, output: Output) -> None:
        """Keeps an output that belongs to no known job, so that it is not lost."""

    def unpark(self, output: Output) -> None:
        """Forgets a parked output: it was settled, or is gone."""

    def put_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Note how far an output was read; Firestore forgets it when it expires."""

    def list_totals(self, first: str, last: str, equal: Mapping[str, str]) -> Iterator[DailyTotal]:
        """The cells of a range of UTC days, in the order of days; a cell may come in several parts.

        Args:
            first: The first day, ``2026-11-22``.
            last: The last day.
            equal: What fields have to be: those of TotalKey, or ``label:NAME``.
        """

    def daily_rollups(self, first: str, last: str) -> Iterator[DailyTotal]:
        """The cells of a range of UTC days without labels (`core.rollups`), each in one piece, by day.

        Args:
            first: The first day, ``2026-11-22``.
            last: The last day.
        """

    def monthly_rollups(self, month: str) -> Iterator[DailyTotal]:
        """The cells of a UTC month (``2026-11``), likewise; each stands on the middle of the month."""

    def project_of_number(self, number: str) -> str | None:
        """The id of a served project, by its number."""

    def remember_project(self, number: str, project: str) -> None:
        """Notes the number of a served project."""
