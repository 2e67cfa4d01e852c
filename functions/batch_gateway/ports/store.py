"""Define the store of jobs, submissions and budget balances, and the sum of all parts of the store.

A use case takes the parts that it needs; only wiring, and what hands the store on, takes the whole. Errors of
all parts are described in Store.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

import msgspec

from batch_gateway.core.access.row_grants import UriGrants
from batch_gateway.core.accounting.budgets import BudgetBalance, OwnedBudget, owners_of
from batch_gateway.core.accounting.settlement import Change, Output
from batch_gateway.core.jobs.cost_bounds import Bounds
from batch_gateway.core.jobs.labels import TEAM_LABEL
from batch_gateway.core.jobs.record import JobKey, JobRecord, Observation
from batch_gateway.core.jobs.sent import Sent
from batch_gateway.core.notify.events import Event
from batch_gateway.ports.job_times import JobTimeStore
from batch_gateway.ports.outbox import Outbox
from batch_gateway.ports.records import Unreadable
from batch_gateway.ports.settled_outputs import OutputStore
from batch_gateway.ports.sweep import SweepStore
from batch_gateway.ports.totals import TotalStore

STORED_FIELDS = ("state", "team", "api_key", "project", "location")
"""Fields by which the store can filter jobs without reading others."""


class StoreUnavailableError(Exception):
    """Firestore did not answer in time. The operation may be retried."""


class JobResumedError(Exception):
    """A job cannot be resumed now: it was resumed before, or is being resumed.

    Attributes:
        by: Name of the job that resumed it; None while that is not known yet.
    """

    def __init__(self, by: str | None) -> None:
        super().__init__(by or "a resume is in progress")
        self.by = by


class Resumption(msgspec.Struct, frozen=True, rename="camel"):
    """The job that a create resumes.

    Attributes:
        key: Its key; it must be on record.
        name: Its name, as Vertex AI gave it.
        replaces: The job that resumed it before, which has ended without success; None if there is none.
    """

    key: JobKey
    name: str
    replaces: str | None


class Submission(msgspec.Struct, frozen=True, rename="camel"):
    """A create that is about to be sent: kept until its job is recorded or known not to exist.

    With an Idempotency-Key it is kept for a day, with its answer.

    Attributes:
        id: Unique id; with an Idempotency-Key, the hash of caller and key.
        project: Id of the project.
        location: Location, as in the path.
        api_key: Alias of the caller's key.
        team: The caller's team, if any.
        display_name: Display name of the job, by which people can find it if its record is missing.
        sent: Fields that identify the job if the answer is lost and there is no marker.
        created: Time when it was last sent.
        body_hash: SHA-256 of project, location and body with an Idempotency-Key, else None.
        marker: Value of the label by which the job can be found; empty without an Idempotency-Key.
        answer: The job resource in the answer; empty if too large to keep or lost, None while there is none.
        job: Name of its job once that is on record.
        expires: Time when the Idempotency-Key may be used for another body.
        key_id: Id of the caller's key; None for the administrator's.
        reserved_nano: Amount reserved for it in the budgets of key and team, nano-USD.
        reserved_at: Time of the reservation.
        estimate: Expected cost of the job.
        resumes: The job that it resumes; None if it resumes none.
        uri_grants: The prefixes that the caller's key and team are limited to.
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
    resumes: Resumption | None = None
    uri_grants: UriGrants = {}

    @property
    def owners(self) -> tuple[str, ...]:
        """Return the owners whose budgets hold the reservation."""
        return owners_of(self.key_id, self.team)

    def is_over(self, now: datetime) -> bool:
        """Return whether its Idempotency-Key may be used for another body."""
        return self.expires is not None and self.expires <= now

    def record(self, job: JobRecord) -> JobRecord:
        """Return the record of its job, owned by the caller; the administrator's by the label's team."""
        team = self.team if self.key_id else job.seen.labels.get(TEAM_LABEL)
        return msgspec.structs.replace(
            job,
            api_key=self.api_key,
            team=team,
            key_id=self.key_id,
            reserved_at=self.reserved_at,
            estimate=self.estimate,
            resumed_from=self.resumes and self.resumes.name,
            uri_grants=self.uri_grants,
        )


class Observed(NamedTuple):
    """A job's record before and after an observation."""

    before: JobRecord
    now: JobRecord


class SubmissionStore(Protocol):
    """Submissions, until their jobs are on record."""

    def begin_submission(
        self, submission: Submission, limits: Sequence[OwnedBudget] = ()
    ) -> Submission | None:
        """Add a submission before it is sent, and reserve the most it may cost, in one transaction.

        A job that it resumes is claimed in the same transaction, until the submission is finished or dropped.

        Returns:
            An existing submission with the same id that has not expired; None if this one was added.

        Raises:
            BudgetExceededError: It does not fit a budget; nothing was written.
            JobResumedError: It resumes a job that was resumed or is claimed; nothing was written.
        """

    def get_submission(self, submission_id: str) -> Submission | None:
        """Return a submission, even if it has expired; None if there is none."""

    def retake_submission(self, old: Submission, new: Submission) -> bool:
        """Replace a submission unless it was changed since it was read; return whether it was replaced."""

    def open_submissions(self, limit: int) -> Sequence[Submission | Unreadable]:
        """Return submissions without an answer."""

    def drop_submission(self, submission: Submission) -> bool:
        """Delete a submission that made no job, and release its reservation; return whether it was deleted.

        One that was changed since it was read stays: it was answered, or is being sent again.
        """

    def add_job(self, job: JobRecord, submission: Submission | None = None) -> None:
        """Record a new job, and finish its submission in the same transaction.

        A job that is on record already is not changed.
        A submission with an answer is kept, any other is deleted. Its reservation passes to the job if this
        call recorded the job; otherwise it is released. A job that it resumed gets the new job's name.
        """


class BudgetStore(Protocol):
    """Balances of keys and teams."""

    def budget_balances(self, entries: Iterable[tuple[str, tuple[str, ...]]]) -> dict[str, BudgetBalance]:
        """Return the budget balance of each owner, summed over periods as by ``sum_balances``.

        Args:
            entries: (owner, periods).
        """


class JobStore(Protocol):
    """Records of jobs."""

    def get_job(self, key: JobKey) -> JobRecord | None:
        """Return a job's record; None if there is none."""

    def observe(self, seen: Mapping[JobKey, Observation]) -> dict[JobKey, Observed]:
        """Update records from observations; only changed records are written.

        An observation older than the recorded one changes nothing.

        Returns:
            The jobs that are on record, each before and after.
        """

    def amend_job(
        self,
        key: JobKey,
        change: Callable[[JobRecord], JobRecord | None],
        event: Callable[[JobRecord], Event | None] = ...,
    ) -> tuple[JobRecord, Event | None] | None:
        """Change a job's record, but nothing that totals depend on, and add its event in one transaction.

        Args:
            key: The job; must be on record.
            change: Takes the current record, and returns the new one, or None to change nothing.
            event: Takes the new record, and returns the event to add; none by default.

        Returns:
            The new record and its event; None if nothing was changed.
        """

    def jobs_by_directory(self, directory: str) -> list[JobRecord]:
        """Return jobs with this output directory on record (more than one would be an error of Vertex AI)."""

    def jobs_by_table(self, table: str) -> list[JobRecord]:
        """Return jobs with this output table on record: callers may name one again."""

    def jobs_without_directory(self, output_prefix: str, limit: int) -> list[JobRecord]:
        """Return running jobs with this output prefix that have no output directory on record yet."""

    def get_job_and_outputs(self, key: JobKey) -> tuple[JobRecord, list[Output]] | None:
        """Return a job's record and outputs from one consistent read; None if there is no record."""

    def jobs_created(
        self, start: datetime, end: datetime, after: tuple[datetime, JobKey] | None, limit: int
    ) -> list[JobRecord]:
        """Return jobs with ``start <= createTime < end``, the oldest first.

        Args:
            start: Earliest time of creation.
            end: Time of creation to stop before.
            after: Creation time and key of the previous page's last job; None for the first page.
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
        """Return jobs, the newest first.

        Args:
            scope: Owner of the jobs, ``("team", id)`` or ``("key_id", id)``; None for all.
            since: Earliest time of creation; None for any.
            before: Creation time and key of the previous page's last job; None for the first page.
            limit: Number of jobs in a page.
            until: Time of creation to stop before; None for any.
            equal: Values that fields must have, by names in STORED_FIELDS.
        """

    def top_jobs(
        self,
        scope: tuple[str, str] | None,
        since: datetime | None,
        limit: int,
        *,
        until: datetime | None = None,
        team: str | None = None,
    ) -> list[JobRecord]:
        """Return the jobs with the largest amounts so far, the largest first, then the newest.

        Args:
            scope: Owner of the jobs, as in ``recent_jobs``.
            since: Earliest time of creation; None for any.
            limit: Number of jobs.
            until: Time of creation to stop before; None for any.
            team: Id of the team that they must be of; None for any.
        """

    def reprice(self, key: JobKey, repricing: Callable[[JobRecord], Change | None]) -> JobRecord | None:
        """Commit a job's new cost and the totals in one transaction.

        Returns:
            The changed job; None if there was nothing to do.
        """


class ProjectStore(Protocol):
    """Numbers of the served projects."""

    def project_of_number(self, number: str) -> str | None:
        """Return the id of a served project by its number; None if the number is unknown."""

    def remember_project(self, number: str, project: str) -> None:
        """Store the number of a served project."""


class Store(
    SubmissionStore,
    BudgetStore,
    JobStore,
    OutputStore,
    TotalStore,
    JobTimeStore,
    ProjectStore,
    Outbox,
    SweepStore,
    Protocol,
):
    """Jobs, outputs, submissions, totals and budget balances, in Firestore.

    Every method raises StoreUnavailableError if Firestore does not answer, and RecordError for a record that
    is rejected, or that is read by name and cannot be decoded. In a list, such a record is replaced by an
    Unreadable, or logged and left out, so that the others can still be read.
    """

    def ping(self) -> None:
        """Return if the store answers."""
