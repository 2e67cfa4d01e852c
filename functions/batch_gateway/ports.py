"""What the use cases need of the outside, as protocols; adapters implement them.

``adapters.memory`` has all of them without any service; tests/contract holds both kinds to the same.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Protocol

import msgspec

from batch_gateway.core.books import Cell, Movement, Output, Total
from batch_gateway.core.jobs import JobKey, JobRecord, Observation
from batch_gateway.core.keys import KeyRecord, TeamRecord

Settlement = Callable[[JobRecord, Output | None], tuple[JobRecord, list[tuple[Total, Movement]]] | None]
"""(job as it stands, the output as settled before) -> (job, what moves), or None: nothing to do."""


class StoreUnavailableError(Exception):
    """Firestore did not answer, or not in time. The operation may be tried again."""


class UpstreamUnavailableError(Exception):
    """Vertex AI could not be reached or did not answer.

    Attributes:
        sent: The request may have been received, so that its fate is unknown.
        timed_out: It was a time limit that ended the wait.
    """

    def __init__(self, message: str, *, sent: bool, timed_out: bool = False) -> None:
        super().__init__(message)
        self.sent = sent
        self.timed_out = timed_out


class UpstreamCredentialsError(Exception):
    """No Google access token could be had for a project; the message says why."""


class ObjectsUnavailableError(OSError):
    """Cloud Storage did not answer, or refused. The operation may be tried again."""


class ObjectChangedError(Exception):
    """The object was overwritten or deleted while it was read."""


class UpstreamResponse(msgspec.Struct, frozen=True):
    """An answer of Vertex AI: HTTP status, headers by lower-case name, body as it came."""

    status: int
    headers: dict[str, str]
    body: bytes


class Upstream(Protocol):
    """Vertex AI."""

    def send(
        self,
        method: str,
        path: str,
        *,
        project: str,
        location: str,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> UpstreamResponse:
        """Sends a request with a Google token of ours; GETs are retried where that is safe.

        Args:
            method: HTTP method.
            path: From the version on: ``/v1/projects/…``.
            project: Id of the project, as configured: decides whose token is sent.
            location: Decides the host.
            query: Raw query string, without ``?``.
            headers: What to pass on, already rid of credentials.
            body: Raw body, or None.

        Raises:
            UpstreamUnavailableError: No answer.
            UpstreamCredentialsError: No token.
        """

    def get_job(self, key: JobKey) -> dict[str, object] | None:
        """The job resource, whole; None if there is no such job or it may not be seen.

        Raises:
            UpstreamUnavailableError: No answer, or one that is no answer (5xx, 429).
            UpstreamCredentialsError: No token.
        """


class ObjectInfo(msgspec.Struct, frozen=True):
    """An object: name in its bucket, generation, size in bytes, and when it was written."""

    name: str
    generation: int
    size: int
    created: datetime


class ObjectStore(Protocol):
    """Cloud Storage. Every method raises ObjectsUnavailableError if it does not answer."""

    def stat(self, bucket: str, name: str) -> ObjectInfo | None:
        """The live object; None if there is none."""

    def read(self, bucket: str, name: str, generation: int) -> Iterator[bytes]:
        """Streams one generation in chunks.

        Raises:
            ObjectChangedError: That generation is no longer there.
        """

    def list(self, bucket: str, prefix: str) -> Iterable[ObjectInfo]:
        """Live objects whose names begin with the prefix."""


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
        created: When it was last sent.
        body_hash: SHA-256 of project, location and body, if there is an Idempotency-Key; else None.
        marker: Value of the label that the job carries, by which it can be found; empty without an
            Idempotency-Key.
        answer: The job resource that it was answered with, if it was.
        expires: When the Idempotency-Key may be used for something else.
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


class Store(Protocol):
    """The books, in Firestore. Every method raises StoreUnavailableError if it does not answer."""

    def ping(self) -> None:
        """Returns if the store answers."""

    def begin_submission(self, submission: Submission) -> Submission | None:
        """Notes a create before it is sent.

        Returns:
            The submission with that id that is there already; None if this one was noted.
        """

    def retake_submission(self, old: Submission, new: Submission) -> bool:
        """Replaces a submission, unless somebody else did since it was read; whether it was replaced."""

    def drop_submission(self, submission_id: str) -> None:
        """Forgets a create that made no job."""

    def add_job(self, job: JobRecord, submission: Submission | None = None) -> None:
        """Records a new job and settles its submission at once. A job on record stays as it is.

        A submission with an answer is kept with it, any other is forgotten.
        """

    def get_job(self, key: JobKey) -> JobRecord | None:
        """A job's record; None if there is none."""

    def observe(self, seen: Mapping[JobKey, Observation]) -> dict[JobKey, JobRecord]:
        """Brings records up to date with what was seen; writes only what changed.

        An observation older than the recorded one changes nothing.

        Returns:
            The records of those jobs that are on record, as they then stand.
        """

    def close_job(self, key: JobKey) -> None:
        """Marks a job as ended and wholly settled."""

    def jobs_by_directory(self, directory: str) -> list[JobRecord]:
        """Jobs whose recorded output directory this is (more than one is Vertex's mistake)."""

    def jobs_without_directory(self, output_prefix: str, limit: int) -> list[JobRecord]:
        """Jobs with this output prefix that are not closed and whose output directory is not known yet."""

    def get_outputs(self, key: JobKey) -> list[Output]:
        """A job's settled outputs, by URI."""

    def get_job_and_outputs(self, key: JobKey) -> tuple[JobRecord, list[Output]] | None:
        """A job's record and its outputs as they stood at one moment."""

    def settle(self, key: JobKey, output: Output, settlement: Settlement) -> JobRecord | None:
        """Commits output, job and totals in one transaction.

        Args:
            key: The job; must be on record.
            output: The output as just read.
            settlement: Computes what changes; may be called again if the transaction is.

        Returns:
            The job as it then stands; None if there was nothing to do.
        """

    def park(self, output: Output) -> None:
        """Keeps an output that belongs to no known job, so that it is not lost."""

    def get_parked(self) -> list[Output]:
        """The outputs that belong to no known job."""

    def get_totals(self, day: str) -> list[Cell]:
        """A UTC day's cells of the totals."""

    def project_of_number(self, number: str) -> str | None:
        """The id of a served project, by its number."""

    def remember_project(self, number: str, project: str) -> None:
        """Notes the number of a served project."""


class AliasTakenError(Exception):
    """Another key has that alias."""


class KeyStore(Protocol):
    """API keys and teams. Every method raises StoreUnavailableError if Firestore does not answer."""

    def get_key(self, token: str) -> KeyRecord | None:
        """A key by the hash of its secret."""

    def list_keys(self, team_id: str | None = None) -> list[KeyRecord]:
        """All keys, or a team's, by alias."""

    def list_secrets(self, key_id: str) -> list[KeyRecord]:
        """All secrets of a key: one, or more after a rotation."""

    def add_key(self, key: KeyRecord) -> None:
        """Adds a key, or one more secret of a key.

        Raises:
            AliasTakenError: A key with another key_id has its alias.
        """

    def change_key(self, token: str, change: Callable[[KeyRecord], KeyRecord]) -> KeyRecord | None:
        """Changes a key in a transaction; None if there is none.

        Raises:
            AliasTakenError: As for add_key.
        """

    def delete_key(self, token: str) -> KeyRecord | None:
        """Deletes a key and frees its alias; the key, None if there is none."""

    def get_team(self, team_id: str) -> TeamRecord | None:
        """A team."""

    def list_teams(self) -> list[TeamRecord]:
        """All teams, by id."""

    def change_team(
        self, team_id: str, change: Callable[[TeamRecord | None], TeamRecord | None]
    ) -> TeamRecord | None:
        """Adds or changes a team in a transaction.

        Args:
            team_id: Id.
            change: Given the team as it stands (None: there is none), the team as it shall stand, or
                None to leave it.
        """

    def delete_team(self, team_id: str) -> None:
        """Deletes a team."""

    def take(self, counter: str, minute: str, portion: int, limit: int) -> int:
        """Takes up to a portion out of what a limit leaves of a counter in a minute; 0 if nothing is left."""


class AuditEntry(msgspec.Struct, frozen=True):
    """Who did what, when, and what came of it.

    Attributes:
        time: When.
        actor: Alias of the key.
        action: ``job.create``, ``key.update``, ``team.delete`` and the like.
        target: What it was done to: a resource name, a key's alias, a team's id.
        outcome: ``OK`` or the status and reason of the error.
    """

    time: datetime
    actor: str
    action: str
    target: str
    outcome: str


class Audit(Protocol):
    """The audit trail: entries are added, never changed."""

    def append(self, entry: AuditEntry) -> None:
        """Adds an entry.

        Raises:
            StoreUnavailableError: Firestore does not answer.
        """

    def read(self, start: datetime | None, end: datetime | None, limit: int) -> list[AuditEntry]:
        """Entries with ``start <= time < end``, the newest first, at most ``limit``."""
