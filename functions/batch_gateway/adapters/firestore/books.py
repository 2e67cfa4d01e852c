"""Jobs, outputs and totals.

Collections::

    jobs/{project:location:id}                JobRecord
    jobs/{project:location:id}/outputs/{hash} Output, one for each object
    totals/{day:hash}                         Cell
    submissions/{id}                          Submission
    parked/{hash}                             Output that belongs to no known job
    projects/{number}                         {"project": id}
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from google.api_core.exceptions import AlreadyExists
from google.cloud.firestore_v1 import Client, FieldFilter, Increment

from batch_gateway.adapters.firestore.documents import CALL, errors, known, optimistically, plain, put, typed
from batch_gateway.core.books import Cell, Movement, Output, Total
from batch_gateway.core.jobs import JobKey, JobRecord, Observation, newer
from batch_gateway.ports import Settlement, Submission


class FirestoreStore:
    """The Store port."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def ping(self) -> None:
        """See Store."""
        with errors():
            self._client.collection("health").document("ping").get(**CALL)

    def begin_submission(self, submission: Submission) -> Submission | None:
        """See Store."""
        document = self._submission(submission.id)
        with errors():
            try:
                document.create(plain(submission), **CALL)
            except AlreadyExists:
                there = typed(document.get(**CALL).to_dict(), Submission)
                # A write that was repeated because its answer was lost finds itself.
                return None if there == submission else there
        return None

    def retake_submission(self, old: Submission, new: Submission) -> bool:
        """See Store."""

        def attempt() -> bool:
            snapshot = self._submission(old.id).get(**CALL)
            if typed(snapshot.to_dict(), Submission) != old:
                return False
            batch = self._client.batch()
            put(batch, snapshot, plain(new))
            batch.commit(**CALL)
            return True

        with errors():
            return optimistically(attempt)

    def drop_submission(self, submission_id: str) -> None:
        """See Store."""
        with errors():
            self._submission(submission_id).delete(**CALL)

    def add_job(self, job: JobRecord, submission: Submission | None = None) -> None:
        """See Store."""
        with errors():
            try:
                self._add(job, submission)
            except AlreadyExists:
                if submission:
                    self._add(None, submission)

    def _add(self, job: JobRecord | None, submission: Submission | None) -> None:
        batch = self._client.batch()
        if job:
            batch.create(self._job(job.key), plain(job))
        if submission and submission.answer is not None:
            batch.set(self._submission(submission.id), plain(submission))
        elif submission:
            batch.delete(self._submission(submission.id))
        batch.commit(**CALL)

    def get_job(self, key: JobKey) -> JobRecord | None:
        """See Store."""
        with errors():
            return typed(self._job(key).get(**CALL).to_dict(), JobRecord)

    def observe(self, seen: Mapping[JobKey, Observation]) -> dict[JobKey, JobRecord]:
        """See Store."""
        with errors():
            return optimistically(lambda: self._observe(seen))

    def _observe(self, seen: Mapping[JobKey, Observation]) -> dict[JobKey, JobRecord]:
        records: dict[JobKey, JobRecord] = {}
        batch = self._client.batch()
        for snapshot in self._client.get_all([self._job(key) for key in seen], **CALL):
            record = typed(snapshot.to_dict(), JobRecord)
            if record is None:
                continue
            now = newer(record.seen, seen[record.key])
            records[record.key] = msgspec.structs.replace(record, seen=now)
            if now != record.seen:
                put(batch, snapshot, {"seen": plain(now)})
        if len(batch):
            batch.commit(**CALL)
        return records

    def close_job(self, key: JobKey) -> None:
        """See Store."""
        with errors():
            self._job(key).update({"closed": True}, **CALL)

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
            job = typed(snapshot.to_dict(), JobRecord)
            if job is None:
                return None
            outputs = self._job(key).collection("outputs")
            snapshots = list(outputs.stream(read_time=snapshot.read_time, **CALL))
        return job, sorted((known(s.to_dict(), Output) for s in snapshots), key=lambda output: output.uri)

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
            job, moved = change
            batch = self._client.batch()
            put(batch, job_now, plain(job))
            put(batch, output_now, plain(output))
            for total, movement in moved:
                cell = self._client.collection("totals").document(total.id)
                batch.set(cell, _increments(total, movement), merge=True)
            batch.commit(**CALL)
            return job

        with errors():
            return optimistically(attempt)

    def park(self, output: Output) -> None:
        """See Store."""
        with errors():
            self._client.collection("parked").document(output.id).set(plain(output), **CALL)

    def get_parked(self) -> list[Output]:
        """See Store."""
        with errors():
            return [known(s.to_dict(), Output) for s in self._client.collection("parked").stream(**CALL)]

    def get_totals(self, day: str) -> list[Cell]:
        """See Store."""
        query = self._client.collection("totals").where(filter=FieldFilter("day", "==", day))
        with errors():
            return [known(s.to_dict(), Cell) for s in query.stream(**CALL)]

    def project_of_number(self, number: str) -> str | None:
        """See Store."""
        with errors():
            document = self._client.collection("projects").document(number).get(**CALL).to_dict()
        return str(document["project"]) if document else None

    def remember_project(self, number: str, project: str) -> None:
        """See Store."""
        with errors():
            self._client.collection("projects").document(number).set({"project": project}, **CALL)

    def _submission(self, submission_id: str) -> Any:
        return self._client.collection("submissions").document(submission_id)

    def _job(self, key: JobKey) -> Any:
        return self._client.collection("jobs").document(f"{key.project}:{key.location}:{key.job_id}")


def _increments(total: Total, movement: Movement) -> dict[str, Any]:
    items = {
        item: {
            "quantity": Increment(movement.quantities.get(item, 0)),
            "amountNano": Increment(movement.amounts_nano.get(item, 0)),
        }
        for item in movement.quantities.keys() | movement.amounts_nano.keys()
    }
    hours = {str(movement.hour): Increment(movement.amount_nano)}
    # Merging an empty map would empty the one that is there.
    return {**plain(total), "hours": hours, **({"items": items} if items else {})}
