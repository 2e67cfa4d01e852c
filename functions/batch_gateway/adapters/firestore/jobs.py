"""Store jobs and their outputs.

Collections::

    jobs/{project:location:id}                JobRecord
    jobs/{project:location:id}/outputs/{hash} Output, one for each object
    checkpoints/{hash}                        Checkpoint of an object that is read in several steps
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from google.cloud.firestore_v1 import DocumentSnapshot, FieldFilter, WriteBatch

from batch_gateway.adapters.firestore.budgets import FirestoreBudgets
from batch_gateway.adapters.firestore.documents import (
    CALL,
    delete_if_unchanged,
    from_document,
    from_optional,
    job_id,
    optimistically,
    read_records,
    to_document,
    translate_errors,
    write_if_unchanged,
)
from batch_gateway.adapters.firestore.job_times import FirestoreJobTimes
from batch_gateway.adapters.firestore.outbox import FirestoreOutbox
from batch_gateway.adapters.firestore.totals import FirestoreTotals
from batch_gateway.core.accounting.budgets import balance_deltas, reservation_deltas, reservation_moves
from batch_gateway.core.accounting.settlement import (
    Change,
    Checkpoint,
    Output,
    output_id,
    supersede,
    supersedes,
)
from batch_gateway.core.jobs.record import LIVE_STATES, JobKey, JobRecord, Observation, merge_observations
from batch_gateway.core.notify.events import Event
from batch_gateway.core.timing.job_times import time_added
from batch_gateway.ports import Observed, Settlement, Submission

_FIELDS = {
    "api_key": "apiKey",
    "key_id": "keyId",
    "location": "key.location",
    "project": "key.project",
    "state": "seen.state",
    "team": "team",
}


_TRIES_TO_SETTLE = 60
"""All shards of a job change its record, and many instances may settle them at once: a try fails only if
another instance has succeeded."""

_OF_ONE_DIRECTORY = 10
"""Limit of jobs that are read for one output directory; there is only one, unless Vertex AI is wrong."""

_OF_ONE_TABLE = 1_000
"""Limit of jobs that are read for one output table, which a job of every day may name for years."""


class FirestoreJobs(FirestoreBudgets, FirestoreOutbox, FirestoreTotals, FirestoreJobTimes):
    """The part of the Store port for jobs and their costs."""

    def add_job(self, job: JobRecord, submission: Submission | None = None) -> None:
        with translate_errors():
            optimistically(lambda: self._add(job, submission))

    def _add(self, job: JobRecord, submission: Submission | None) -> None:
        batch = self._client.batch()
        is_known = self._job(job.key).get(["key"], **CALL).exists
        if submission is not None:
            document = self._client.collection("submissions").document(submission.id)
            existing = document.get(**CALL)
            reserved = from_document(existing.to_dict(), Submission).reserved_nano if existing.exists else 0
            owners, made = submission.owners, submission.reserved_at
            if is_known:
                moved = reservation_deltas(owners, made, -reserved)
            else:
                moved = reservation_moves(owners, made, job.create_time, reserved)
                job = msgspec.structs.replace(
                    job, reserved_nano=reserved, reserved_at=job.create_time if made else None
                )
            if reserved:
                self._add_to_ledgers(batch, moved, submission.id)
            if submission.answer is not None:
                write_if_unchanged(
                    batch, existing, to_document(msgspec.structs.replace(submission, reserved_nano=0))
                )
            elif existing.exists:
                delete_if_unchanged(batch, existing)
        if not is_known:
            batch.create(self._job(job.key), to_document(job))
        if submission is not None and submission.resumes is not None:
            if is_known:
                batch.update(self._job(job.key), {"resumedFrom": submission.resumes.name})
            resumed = self._job(submission.resumes.key)
            if resumed.get(["key"], **CALL).exists:
                batch.update(resumed, {"resumedBy": job.seen.name})
        batch.commit(**CALL)

    def get_job(self, key: JobKey) -> JobRecord | None:
        with translate_errors():
            return from_optional(self._job(key).get(**CALL).to_dict(), JobRecord)

    def observe(self, seen: Mapping[JobKey, Observation]) -> dict[JobKey, Observed]:
        with translate_errors():
            return optimistically(lambda: self._observe(seen))

    def _observe(self, seen: Mapping[JobKey, Observation]) -> dict[JobKey, Observed]:
        records: dict[JobKey, Observed] = {}
        batch = self._client.batch()
        for snapshot in self._client.get_all([self._job(key) for key in seen], **CALL):
            record = from_optional(snapshot.to_dict(), JobRecord)
            if record is None:
                continue
            now = merge_observations(record.seen, seen[record.key])
            records[record.key] = Observed(record, msgspec.structs.replace(record, seen=now))
            if now != record.seen:
                write_if_unchanged(batch, snapshot, {"seen": to_document(now)})
        if len(batch):
            batch.commit(**CALL)
        return records

    def amend_job(
        self,
        key: JobKey,
        change: Callable[[JobRecord], JobRecord | None],
        event: Callable[[JobRecord], Event | None] = lambda _: None,
    ) -> tuple[JobRecord, Event | None] | None:
        def attempt() -> tuple[JobRecord, Event | None] | None:
            snapshot = self._job(key).get(**CALL)
            job = change(from_document(snapshot.to_dict(), JobRecord))
            if job is None:
                return None
            batch, noted = self._client.batch(), event(job)
            if noted is not None:
                self._add_event(batch, noted)
            return self._commit(batch, snapshot, Change(job, [])), noted

        with translate_errors():
            return optimistically(attempt)

    def jobs_by_directory(self, directory: str) -> list[JobRecord]:
        query = self._client.collection("jobs").where(
            filter=FieldFilter("seen.outputDirectory", "==", directory)
        )
        with translate_errors():
            return read_records(query, JobRecord, _OF_ONE_DIRECTORY)

    def jobs_by_table(self, table: str) -> list[JobRecord]:
        query = self._client.collection("jobs").where(filter=FieldFilter("seen.outputTable", "==", table))
        with translate_errors():
            return read_records(query, JobRecord, _OF_ONE_TABLE)

    def jobs_without_directory(self, output_prefix: str, limit: int) -> list[JobRecord]:
        query = (
            self._client.collection("jobs")
            .where(filter=FieldFilter("seen.outputPrefix", "==", output_prefix))
            .where(filter=FieldFilter("seen.outputDirectory", "==", None))
            .where(filter=FieldFilter("closed", "==", False))  # noqa: FBT003 - the SDK's signature
            .where(filter=FieldFilter("seen.state", "in", LIVE_STATES))
        )
        with translate_errors():
            return read_records(query, JobRecord, limit)

    def get_outputs(self, key: JobKey) -> list[Output]:
        with translate_errors():
            found = self._job(key).collection("outputs").stream(**CALL)
            return sorted((from_document(s.to_dict(), Output) for s in found), key=lambda output: output.uri)

    def get_output(self, key: JobKey, uri: str) -> tuple[Output | None, Checkpoint | None]:
        output, checkpoint = self._output(key, uri), self._checkpoint(uri)
        with translate_errors():
            found = {s.reference.path: s for s in self._client.get_all([output, checkpoint], **CALL)}
        return from_optional(found[output.path].to_dict(), Output), from_optional(
            found[checkpoint.path].to_dict(), Checkpoint
        )

    def put_checkpoint(self, checkpoint: Checkpoint) -> None:
        with translate_errors():
            self._checkpoint(checkpoint.uri).set(to_document(checkpoint), **CALL)

    def get_job_and_outputs(self, key: JobKey) -> tuple[JobRecord, list[Output]] | None:
        with translate_errors():
            snapshot = self._job(key).get(**CALL)
            while (job := from_optional(snapshot.to_dict(), JobRecord)) is not None:
                found = self._job(key).collection("outputs").stream(read_time=snapshot.read_time, **CALL)
                outputs = sorted(
                    (from_document(s.to_dict(), Output) for s in found), key=lambda output: output.uri
                )
                if sum((each.usage.rows.total for each in outputs), 0) == job.usage.rows.total:
                    return job, outputs
                # A commit at the exact time of the read: Firestore's emulator shows the later outputs.
                again = self._job(key).get(**CALL)
                if again.update_time == snapshot.update_time:
                    return job, outputs
                snapshot = again
        return None

    def jobs_created(
        self, start: datetime, end: datetime, after: tuple[datetime, JobKey] | None, limit: int
    ) -> list[JobRecord]:
        query = (
            self._client.collection("jobs")
            .where(filter=FieldFilter("createTime", ">=", start))
            .where(filter=FieldFilter("createTime", "<", end))
            .order_by("createTime")
            .order_by("__name__")
        )
        if after:
            query = query.start_after({"createTime": after[0], "__name__": self._job(after[1])})
        with translate_errors():
            return read_records(query, JobRecord, limit)

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
        with translate_errors():
            return read_records(query, JobRecord, limit)

    def top_jobs(
        self,
        scope: tuple[str, str] | None,
        since: datetime | None,
        limit: int,
        *,
        until: datetime | None = None,
        team: str | None = None,
    ) -> list[JobRecord]:
        query: Any = self._client.collection("jobs")
        for name, value in [*([scope] if scope else []), *([("team", team)] if team is not None else [])]:
            query = query.where(filter=FieldFilter(_FIELDS[name], "==", value))
        if until:
            query = query.where(filter=FieldFilter("createTime", "<", until))
        if since:
            query = query.where(filter=FieldFilter("createTime", ">=", since))
        # Amounts are in no index of their own, but in composite ones with the time.
        query = (
            query.order_by("cost.amountNano", direction="DESCENDING")
            .order_by("createTime", direction="DESCENDING")
            .order_by("__name__", direction="DESCENDING")
        )
        with translate_errors():
            return read_records(query, JobRecord, limit)

    def reprice(self, key: JobKey, repricing: Callable[[JobRecord], Change | None]) -> JobRecord | None:
        def attempt() -> JobRecord | None:
            snapshot = self._job(key).get(**CALL)
            change = repricing(from_document(snapshot.to_dict(), JobRecord))
            return change and self._commit(self._client.batch(), snapshot, change)

        with translate_errors():
            return optimistically(attempt)

    def settle(self, key: JobKey, output: Output, settlement: Settlement) -> JobRecord | None:
        job_ref, output_ref = self._job(key), self._output(key, output.uri)
        tried: JobRecord | None = None

        def attempt() -> JobRecord | None:
            nonlocal tried
            snapshots = {s.reference.path: s for s in self._client.get_all([job_ref, output_ref], **CALL)}
            job_now, output_now = snapshots[job_ref.path], snapshots[output_ref.path]
            job, old = (
                from_document(job_now.to_dict(), JobRecord),
                from_optional(output_now.to_dict(), Output),
            )
            if tried is not None and old == output:
                # A commit that is repeated because its answer was lost finds its own output.
                return tried
            increments = self._increments(key) if supersedes(job, output) else []
            change = settlement(job, old, [each for _, each in increments])
            if change is None:
                return None
            tried = change.job
            batch = self._client.batch()
            write_if_unchanged(batch, output_now, to_document(output))
            for snapshot, increment in increments:
                write_if_unchanged(batch, snapshot, to_document(supersede(increment, output.settled_at)))
            return self._commit(batch, job_now, change)

        with translate_errors():
            return optimistically(attempt, tries=_TRIES_TO_SETTLE)

    def _increments(self, key: JobKey) -> list[tuple[DocumentSnapshot[Any], Output]]:
        """Return a job's incremental outputs that count; none is added while its record is unchanged."""
        found = self._job(key).collection("outputs").stream(**CALL)
        outputs = [(snapshot, from_document(snapshot.to_dict(), Output)) for snapshot in found]
        return [(snapshot, output) for snapshot, output in outputs if output.is_counted_increment]

    def _commit(
        self,
        batch: WriteBatch,
        snapshot: DocumentSnapshot[Any],
        change: Change,
    ) -> JobRecord:
        """Write a job, and add its changes to totals, budgets and times, atomically."""
        job, before = change.job, from_document(snapshot.to_dict(), JobRecord)
        write_if_unchanged(batch, snapshot, to_document(job))
        self._add_to_totals(batch, change.deltas, job.key.path)
        self._add_to_ledgers(batch, balance_deltas(before, job), job.key.path)
        self._add_to_times(batch, time_added(before, job), job.key.path)
        batch.commit(**CALL)
        return job

    def _job(self, key: JobKey) -> Any:
        return self._client.collection("jobs").document(job_id(key))

    def _output(self, key: JobKey, uri: str) -> Any:
        return self._job(key).collection("outputs").document(output_id(uri))

    def _checkpoint(self, uri: str) -> Any:
        return self._client.collection("checkpoints").document(output_id(uri))
