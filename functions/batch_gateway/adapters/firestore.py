"""The books in Firestore.

Collections::

    jobs/{project:location:id}                JobRecord
    jobs/{project:location:id}/outputs/{hash} Output, one for each object
    totals/{day:hash}                         Cell
    submissions/{id}                          Submission, gone once its job is recorded
    parked/{hash}                             Output that belongs to no known job
    projects/{number}                         {"project": id}
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from google.api_core.exceptions import AlreadyExists, FailedPrecondition, GoogleAPICallError, RetryError
from google.api_core.retry import Retry, if_transient_error
from google.cloud.firestore_v1 import Client, FieldFilter, Increment, transactional

from batch_gateway.core.books import Cell, Movement, Output, Total
from batch_gateway.core.jobs import JobKey, JobRecord, Observation, newer
from batch_gateway.ports import Settlement, StoreUnavailableError, Submission

_SECONDS = 4.0
"""How long a request may wait for Firestore, retries included, before it is told that it is down."""
_CALL: dict[str, Any] = {
    "timeout": _SECONDS,
    "retry": Retry(predicate=if_transient_error, initial=0.1, maximum=1.0, timeout=_SECONDS),
}
_CONFLICT_TRIES = 5

_T = TypeVar("_T")


class FirestoreStore:
    """The Store port. Cheap to make: it connects on first use."""

    def __init__(self, project: str, database: str) -> None:
        self._client = Client(project=project or None, database=database)

    def ping(self) -> None:
        """See Store."""
        with _errors():
            self._client.collection("health").document("ping").get(**_CALL)

    def begin_submission(self, submission: Submission) -> None:
        """See Store."""
        with _errors():
            self._client.collection("submissions").document(submission.id).set(_plain(submission), **_CALL)

    def drop_submission(self, submission_id: str) -> None:
        """See Store."""
        with _errors():
            self._client.collection("submissions").document(submission_id).delete(**_CALL)

    def add_job(self, job: JobRecord, submission_id: str | None = None) -> None:
        """See Store."""
        batch = self._client.batch()
        batch.create(self._job(job.key), _plain(job))
        if submission_id:
            batch.delete(self._client.collection("submissions").document(submission_id))
        with _errors():
            try:
                batch.commit(**_CALL)
            except AlreadyExists:
                if submission_id:
                    self.drop_submission(submission_id)

    def get_job(self, key: JobKey) -> JobRecord | None:
        """See Store."""
        with _errors():
            return _typed(self._job(key).get(**_CALL).to_dict(), JobRecord)

    def observe(self, seen: Mapping[JobKey, Observation]) -> dict[JobKey, JobRecord]:
        """See Store."""
        with _errors():
            for tries_left in reversed(range(_CONFLICT_TRIES)):
                try:
                    return self._observe(seen)
                except FailedPrecondition:
                    # Somebody else wrote one of the records since it was read: look again.
                    if not tries_left:
                        raise
        raise AssertionError("unreachable")

    def _observe(self, seen: Mapping[JobKey, Observation]) -> dict[JobKey, JobRecord]:
        records: dict[JobKey, JobRecord] = {}
        batch = self._client.batch()
        for snapshot in self._client.get_all([self._job(key) for key in seen], **_CALL):
            record = _typed(snapshot.to_dict(), JobRecord)
            if record is None:
                continue
            now = newer(record.seen, seen[record.key])
            records[record.key] = msgspec.structs.replace(record, seen=now)
            if now != record.seen:
                unchanged = self._client.write_option(last_update_time=snapshot.update_time)
                batch.update(snapshot.reference, {"seen": _plain(now)}, option=unchanged)
        if len(batch):
            batch.commit(**_CALL)
        return records

    def close_job(self, key: JobKey) -> None:
        """See Store."""
        with _errors():
            self._job(key).update({"closed": True}, **_CALL)

    def jobs_by_directory(self, directory: str) -> list[JobRecord]:
        """See Store."""
        query = self._client.collection("jobs").where(
            filter=FieldFilter("seen.outputDirectory", "==", directory)
        )
        with _errors():
            return [_known(snapshot.to_dict(), JobRecord) for snapshot in query.stream(**_CALL)]

    def jobs_without_directory(self, output_prefix: str, limit: int) -> list[JobRecord]:
        """See Store."""
        query = (
            self._client.collection("jobs")
            .where(filter=FieldFilter("seen.outputPrefix", "==", output_prefix))
            .where(filter=FieldFilter("seen.outputDirectory", "==", None))
            .limit(limit)
        )
        with _errors():
            return [_known(snapshot.to_dict(), JobRecord) for snapshot in query.stream(**_CALL)]

    def get_outputs(self, key: JobKey) -> list[Output]:
        """See Store."""
        with _errors():
            snapshots = list(self._job(key).collection("outputs").stream(**_CALL))
        return sorted((_known(s.to_dict(), Output) for s in snapshots), key=lambda output: output.uri)

    def settle(self, key: JobKey, output: Output, settlement: Settlement) -> JobRecord | None:
        """See Store."""
        job_ref = self._job(key)
        output_ref = job_ref.collection("outputs").document(output.id)

        @transactional
        def commit(transaction: Any) -> JobRecord | None:
            job = _known(job_ref.get(transaction=transaction, **_CALL).to_dict(), JobRecord)
            old = _typed(output_ref.get(transaction=transaction, **_CALL).to_dict(), Output)
            change = settlement(job, old)
            if change is None:
                return None
            job, moved = change
            transaction.set(output_ref, _plain(output))
            transaction.set(job_ref, _plain(job))
            for total, movement in moved:
                transaction.set(
                    self._client.collection("totals").document(total.id),
                    _increments(total, movement),
                    merge=True,
                )
            return job

        with _errors():
            return commit(self._client.transaction())

    def park(self, output: Output) -> None:
        """See Store."""
        with _errors():
            self._client.collection("parked").document(output.id).set(_plain(output), **_CALL)

    def get_parked(self) -> list[Output]:
        """See Store."""
        with _errors():
            return [_known(s.to_dict(), Output) for s in self._client.collection("parked").stream(**_CALL)]

    def get_totals(self, day: str) -> list[Cell]:
        """See Store."""
        query = self._client.collection("totals").where(filter=FieldFilter("day", "==", day))
        with _errors():
            return [_known(s.to_dict(), Cell) for s in query.stream(**_CALL)]

    def project_of_number(self, number: str) -> str | None:
        """See Store."""
        with _errors():
            document = self._client.collection("projects").document(number).get(**_CALL).to_dict()
        return str(document["project"]) if document else None

    def remember_project(self, number: str, project: str) -> None:
        """See Store."""
        with _errors():
            self._client.collection("projects").document(number).set({"project": project}, **_CALL)

    def _job(self, key: JobKey) -> Any:
        return self._client.collection("jobs").document(f"{key.project}:{key.location}:{key.job_id}")


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except (GoogleAPICallError, RetryError) as error:
        raise StoreUnavailableError(str(error)) from error


def _plain(record: msgspec.Struct) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(record, builtin_types=(datetime,))
    return plain


def _known(document: dict[str, Any] | None, kind: type[_T]) -> _T:
    return msgspec.convert(_native(document), kind)


def _typed(document: dict[str, Any] | None, kind: type[_T]) -> _T | None:
    return None if document is None else _known(document, kind)


def _native(value: Any) -> Any:
    """The SDK's own kind of datetime as a plain one, which is all that msgspec takes."""
    if isinstance(value, dict):
        return {key: _native(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_native(member) for member in value]
    if isinstance(value, datetime):
        return datetime.combine(value.date(), value.timetz())
    return value


def _increments(total: Total, movement: Movement) -> dict[str, Any]:
    items = movement.quantities.keys() | movement.amounts_nano.keys()
    return {
        **_plain(total),
        "hours": {str(movement.hour): Increment(movement.amount_nano)},
        "items": {
            item: {
                "quantity": Increment(movement.quantities.get(item, 0)),
                "amountNano": Increment(movement.amounts_nano.get(item, 0)),
            }
            for item in items
        },
    }
