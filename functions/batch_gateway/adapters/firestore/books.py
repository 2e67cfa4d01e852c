"""Jobs and their outputs.

Collections::

    jobs/{project:location:id}                JobRecord
    jobs/{project:location:id}/outputs/{hash} Output, one for each object
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from google.cloud.firestore_v1 import DocumentSnapshot, FieldFilter, WriteBatch

from batch_gateway.adapters.firestore.budgets import FirestoreBudgets
from batch_gateway.adapters.firestore.documents import (
    CALL,
    delete,
    errors,
    job_id,
    known,
    optimistically,
    plain,
    put,
    typed,
)
from batch_gateway.adapters.firestore.outbox import FirestoreOutbox
from batch_gateway.adapters.firestore.totals import FirestoreTotals
from batch_gateway.core.books import Movement, Output, Total
from batch_gateway.core.budgets import entries, reservation
from batch_gateway.core.jobs import LIVE_STATES, JobKey, JobRecord, Observation, newer
from batch_gateway.core.notifications import Event
from batch_gateway.ports import Change, Observed, Settlement, Submission

_FIELDS = {
    "api_key": "apiKey",
    "key_id": "keyId",
    "location": "key.location",
    "project": "key.project",
    "state": "seen.state",
    "team": "team",
}


class FirestoreBooks(FirestoreBudgets, FirestoreOutbox, FirestoreTotals):
    """The part of the Store port that is about jobs and what they cost."""

    def add_job(self, job: JobRecord, submission: Submission | None = None) -> None:
        """See Store."""
        with errors():
            optimistically(lambda: self._add(job, submission))

    def _add(self, job: JobRecord, submission: Submission | None) -> None:
        batch = self._client.batch()
        known_already = self._job(job.key).get(["key"], **CALL).exists
        if submission is not None:
            document = self._client.collection("submissions").document(submission.id)
            there = document.get(**CALL)
            reserved = known(there.to_dict(), Submission).reserved_nano if there.exists else 0
            if known_already and reserved:
                made = reservation(submission.owners, submission.reserved_at, -reserved)
                self._book(batch, made, submission.id)
            job = msgspec.structs.replace(job, reserved_nano=reserved)
            if submission.answer is not None:
                put(batch, there, plain(msgspec.structs.replace(submission, reserved_nano=0)))
            elif there.exists:
                delete(batch, there)
        if not known_already:
            batch.create(self._job(job.key), plain(job))
        batch.commit(**CALL)

    def get_job(self, key: JobKey) -> JobRecord | None:
        """See Store."""
        with errors():
            return typed(self._job(key).get(**CALL).to_dict(), JobRecord)

    def observe(self, seen: Mapping[JobKey, Observation]) -> dict[JobKey, Observed]:
        """See Store."""
        with errors():
            return optimistically(lambda: self._observe(seen))

    def _observe(self, seen: Mapping[JobKey, Observation]) -> dict[JobKey, Observed]:
        records: dict[JobKey, Observed] = {}
        batch = self._client.batch()
        for snapshot in self._client.get_all([self._job(key) for key in seen], **CALL):
            record = typed(snapshot.to_dict(), JobRecord)
            if record is None:
                continue
            now = newer(record.seen, seen[record.key])
            records[record.key] = Observed(record, msgspec.structs.replace(record, seen=now))
            if now != record.seen:
                put(batch, snapshot, {"seen": plain(now)})
        if len(batch):
            batch.commit(**CALL)
        return records

    def amend_job(
        self,
        key: JobKey,
        change: Callable[[JobRecord], JobRecord | None],
        event: Callable[[JobRecord], Event | None] = lambda _: None,
    ) -> tuple[JobRecord, Event | None] | None:
        """See Store."""

        def attempt() -> tuple[JobRecord, Event | None] | None:
            snapshot = self._job(key).get(**CALL)
            job = change(known(snapshot.to_dict(), JobRecord))
            if job is None:
                return None
            batch, noted = self._client.batch(), event(job)
            if noted is not None:
                self._note(batch, noted)
            return self._commit(batch, snapshot, job, ()), noted

        with errors():
            return optimistically(attempt)

    def jobs_by_directory(self, directory: str) -> list[JobRecord]:
        """See Store."""
        query = self._client.collection("jobs").where(
            filter=FieldFilter("seen.outputDirectory", "==", directory)
        )
        with errors():
            return [known(snapshot.to_dict(), JobRecord) for snapshot in query.stream(**CALL)]

    def jobs_without_directory(self, output_prefix: str, limit: int) -> list[JobRecord]:
        """See Store."""
        query = (
            self._client.collection("jobs")
            .where(filter=FieldFilter("seen.outputPrefix", "==", output_prefix))
            .where(filter=FieldFilter("seen.outputDirectory", "==", None))
            .where(filter=FieldFilter("closed", "==", False))  # noqa: FBT003 - the SDK's signature
            .where(filter=FieldFilter("seen.state", "in", LIVE_STATES))
            .limit(limit)
        )
        with errors():
            return [known(snapshot.to_dict(), JobRecord) for snapshot in query.stream(**CALL)]

    def get_outputs(self, key: JobKey) -> list[Output]:
        """See Store."""
        with errors():
            snapshots = list(self._job(key).collection("outputs").stream(**CALL))
        return sorted((known(s.to_dict(), Output) for s in snapshots), key=lambda output: output.uri)

    def get_job_and_outputs(self, key: JobKey) -> tuple[JobRecord, list[Output]] | None:
        """See Store."""
        with errors():
            snapshot = self._job(key).get(**CALL)
            while (job := typed(snapshot.to_dict(), JobRecord)) is not None:
                found = self._job(key).collection("outputs").stream(read_time=snapshot.read_time, **CALL)
                outputs = sorted((known(s.to_dict(), Output) for s in found), key=lambda output: output.uri)
                if sum((each.usage.rows.total for each in outputs), 0) == job.usage.rows.total:
                    return job, outputs
                # A commit of the very time of the read: Firestore's emulator shows the outputs after it.
                again = self._job(key).get(**CALL)
                if again.update_time == snapshot.update_time:
                    return job, outputs
                snapshot = again
        return None

    def jobs_created(
        self, start: datetime, end: datetime, after: tuple[datetime, JobKey] | None, limit: int
    ) -> list[JobRecord]:
        """See Store."""
        query = (
            self._client.collection("jobs")
            .where(filter=FieldFilter("createTime", ">=", start))
            .where(filter=FieldFilter("createTime", "<", end))
            .order_by("createTime")
            .order_by("__name__")
        )
        if after:
            query = query.start_after({"createTime": after[0], "__name__": self._job(after[1])})
        with errors():
            return [known(s.to_dict(), JobRecord) for s in query.limit(limit).stream(**CALL)]

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
        """See Store."""
        query: Any = self._client.collection("jobs")
        for name, value in {**equal, **dict([scope] if scope else [])}.items():
            query = query.where(filter=FieldFilter(_FIELDS[name], "==", value))
        if until:
            query = query.where(filter=FieldFilter("createTime", "<", until))
        if since:
            query = query.where(filter=FieldFilter("createTime", ">=", since))
        query = query.order_by("createTime", direction="DESCENDING").order_by(
            "__name__", direction="DESCENDING"
        )
        if before:
            query = query.start_after({"createTime": before[0], "__name__": self._job(before[1])})
        with errors():
            return [known(s.to_dict(), JobRecord) for s in query.limit(limit).stream(**CALL)]

    def reprice(self, key: JobKey, repricing: Callable[[JobRecord], Change | None]) -> JobRecord | None:
        """See Store."""

        def attempt() -> JobRecord | None:
            snapshot = self._job(key).get(**CALL)
            change = repricing(known(snapshot.to_dict(), JobRecord))
            return change and self._commit(self._client.batch(), snapshot, *change)

        with errors():
            return optimistically(attempt)

    def settle(self, key: JobKey, output: Output, settlement: Settlement) -> JobRecord | None:
        """See Store."""
        job_ref = self._job(key)
        output_ref = job_ref.collection("outputs").document(output.id)

        def attempt() -> JobRecord | None:
            snapshots = {s.reference.path: s for s in self._client.get_all([job_ref, output_ref], **CALL)}
            job_now, output_now = snapshots[job_ref.path], snapshots[output_ref.path]
            change = settlement(known(job_now.to_dict(), JobRecord), typed(output_now.to_dict(), Output))
            if change is None:
                return None
            batch = self._client.batch()
            put(batch, output_now, plain(output))
            return self._commit(batch, job_now, *change)

        with errors():
            return optimistically(attempt)

    def _commit(
        self,
        batch: WriteBatch,
        snapshot: DocumentSnapshot[Any],
        job: JobRecord,
        moved: Iterable[tuple[Total, Movement]],
    ) -> JobRecord:
        """Writes a job, and moves totals and budgets by what changed in it, all or nothing."""
        put(batch, snapshot, plain(job))
        self._move_totals(batch, moved, job.key.path)
        self._book(batch, entries(known(snapshot.to_dict(), JobRecord), job), job.key.path)
        batch.commit(**CALL)
        return job

    def _job(self, key: JobKey) -> Any:
        return self._client.collection("jobs").document(job_id(key))
