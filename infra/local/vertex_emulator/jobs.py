"""Store jobs and operations, and cancel or delete jobs.

How a job moves on by itself is `lifecycle`'s subject. Everything here holds the store's lock for a moment
only, never while storage is read or written.
"""

import bisect
import hashlib
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from . import errors, timestamps
from .layout import Layout
from .models import JobModel

PENDING, RUNNING = "JOB_STATE_PENDING", "JOB_STATE_RUNNING"
SUCCEEDED, FAILED = "JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED"
CANCELLING, CANCELLED = "JOB_STATE_CANCELLING", "JOB_STATE_CANCELLED"
PARTIALLY_SUCCEEDED, EXPIRED = "JOB_STATE_PARTIALLY_SUCCEEDED", "JOB_STATE_EXPIRED"
TERMINAL = frozenset({SUCCEEDED, FAILED, CANCELLED, EXPIRED, PARTIALLY_SUCCEEDED})


@dataclass
class Job:
    """A job: its request, its state, and its input when it has been read."""

    id: str
    parent: str
    body: dict[str, Any]
    model: JobModel
    layout: Layout
    create_time: datetime
    state: str = PENDING
    since: float = field(default_factory=time.monotonic)
    update_time: datetime | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    error: dict[str, Any] | None = None
    output_info: dict[str, str] = field(default_factory=dict)  # once it is shown
    lines: list[bytes] = field(default_factory=list)
    fails: list[bool] = field(default_factory=list)  # in the order of processing, as `lines`
    held: int = 0  # number of rows at the end that the clock leaves unprocessed
    done: int = 0
    failed: int = 0
    exported: int = 0  # rows that are in incremental files
    _marks: list[tuple[int, datetime]] = field(default_factory=list)  # (rows done, time)

    @property
    def name(self) -> str:
        """Return the resource name, with the project's number."""
        return f"{self.parent}/batchPredictionJobs/{self.id}"

    def move(self, state: str, error: dict[str, Any] | None = None) -> None:
        """Enter a state, and set the times that Google sets then."""
        moment = timestamps.now()
        self.state, self.since, self.update_time = state, time.monotonic(), moment
        if state == RUNNING:
            self.start_time = moment
        if state in TERMINAL:
            self.end_time = moment
            self.error = error

    def progress(self, done: int) -> None:
        """Record the number of rows that are processed."""
        if done != self.done:
            moment = timestamps.now()
            self._marks.append((done, moment))
            self.failed += sum(self.fails[self.done : done])
            self.done, self.update_time = done, moment

    def processed(self, number: int) -> datetime:
        """Return the time at which a row was processed; rows recorded together are spread over the time."""
        index = bisect.bisect_right(self._marks, number, key=lambda mark: mark[0])
        done, moment = self._marks[index]
        before, since = self._marks[index - 1] if index else (0, self.start_time or self.create_time)
        return since + (moment - since) * ((number + 1 - before) / (done - before))

    def _stats(self) -> dict[str, str]:
        left = len(self.lines) - self.done
        done = self.done - self.failed
        counts = {"successfulCount": done, "failedCount": self.failed, "incompleteCount": left}
        # int64 is a string in proto JSON, and zero is left out.
        return {name: str(number) for name, number in counts.items() if number}

    def as_json(self) -> dict[str, Any]:
        """Return the resource (Vertex AI API reference, BatchPredictionJob), without unset members."""
        times = {
            "createTime": self.create_time,
            "startTime": self.start_time,
            "endTime": self.end_time,
            "updateTime": self.update_time or self.create_time,
        }
        resource = {
            "name": self.name,
            **self.body,
            "outputInfo": self.output_info,
            "state": self.state,
            "error": self.error,
            "completionStats": self._stats(),
            **{name: timestamps.rfc3339(moment) for name, moment in times.items() if moment},
            "modelVersionId": self.model.version,
        }
        return {name: value for name, value in resource.items() if value}


@dataclass
class Operation:
    """The long-running operation that a delete returns."""

    name: str
    version: str
    job: str
    created: datetime
    due: float
    done: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the google.longrunning.Operation."""
        moment = timestamps.rfc3339(self.created)
        package = f"google.cloud.aiplatform.{self.version}"
        result: dict[str, Any] = {
            "name": self.name,
            "metadata": {
                "@type": f"type.googleapis.com/{package}.DeleteOperationMetadata",
                "genericMetadata": {"createTime": moment, "updateTime": moment},
            },
        }
        if self.done:
            result |= {"done": True, "response": {"@type": "type.googleapis.com/google.protobuf.Empty"}}
        return result


class JobStore:
    """All jobs and operations.

    Args:
        project_numbers: Numbers of projects by id; any other project gets one from its id.
        delete_seconds: How long the operation of a delete takes.
    """

    def __init__(self, project_numbers: Mapping[str, str], delete_seconds: float) -> None:
        self.lock = threading.RLock()
        self._numbers = dict(project_numbers)
        self._delete_seconds = delete_seconds
        self._jobs: dict[str, Job] = {}
        self._operations: dict[str, Operation] = {}
        self._random = random.SystemRandom()

    def parent(self, project: str, location: str) -> str:
        """Return `projects/NUMBER/locations/LOCATION` for a project's id or number."""
        if not project.isdigit():
            digest = int.from_bytes(hashlib.sha256(project.encode()).digest()[:8])
            project = self._numbers.get(project, str(10**11 + digest % (9 * 10**11)))
        return f"projects/{project}/locations/{location}"

    def _new_id(self) -> str:
        return str(self._random.randint(10**18, 10**19 - 1))

    def create(self, parent: str, body: dict[str, Any], model: JobModel, layout: Layout) -> Job:
        """Add a job in PENDING, which is how live ones start."""
        with self.lock:
            newest = max((job.create_time for job in self._jobs.values()), default=timestamps.now())
            # Strictly increasing, so that "newest first" is a unique order.
            moment = max(timestamps.now(), newest + timedelta(microseconds=1))
            job = Job(self._new_id(), parent, body, model, layout, moment)
            self._jobs[job.name] = job
            return job

    def get(self, parent: str, job_id: str) -> Job:
        """Return a job.

        Raises:
            ApiError: 404 if there is none.
        """
        with self.lock:
            job = self._jobs.get(f"{parent}/batchPredictionJobs/{job_id}")
            if job is None:
                raise errors.not_found("BatchPredictionJob")
            return job

    def find(self, job: str) -> Job:
        """Return a job by its id or name alone, for the emulator's own controls."""
        with self.lock:
            found = [kept for kept in self._jobs.values() if kept.id == job.rpartition("/")[2]]
            if not found:
                raise errors.not_found("BatchPredictionJob")
            return found[0]

    def all(self, parent: str = "") -> list[Job]:
        """Return the jobs of a parent, or of all, newest first."""
        with self.lock:
            jobs = [job for job in self._jobs.values() if parent in ("", job.parent)]
        return sorted(jobs, key=lambda job: job.create_time, reverse=True)

    def cancel(self, job: Job) -> None:
        """Cancel a job: at once if it has not started, else it stops at its next step.

        Raises:
            ApiError: 400 FAILED_PRECONDITION if it has finished, as a live one answered.
        """
        with self.lock:
            if job.state in TERMINAL:
                raise errors.failed_precondition(f"The BatchPredictionJob is in state {job.state}.")
            if job.state == RUNNING:
                job.move(CANCELLING)
            elif job.state != CANCELLING:
                job.move(CANCELLED, {"code": errors.CANCELLED, "message": "CANCELED"})

    def delete(self, job: Job, version: str) -> Operation:
        """Begin to delete a job.

        Raises:
            ApiError: 400 FAILED_PRECONDITION: "Can only be called on jobs that already finished."
        """
        with self.lock:
            if job.state not in TERMINAL:
                raise errors.failed_precondition(
                    f"The BatchPredictionJob is in state {job.state}; only finished jobs can be deleted."
                )
            name = f"{job.parent}/operations/{self._new_id()}"
            due = time.monotonic() + self._delete_seconds
            operation = Operation(name, version, job.name, timestamps.now(), due)
            self._operations[name] = operation
            if not self._delete_seconds:
                self.finish_deletions(due)
            return operation

    def finish_deletions(self, before: float) -> None:
        """End the operations that are due at a time of the monotonic clock."""
        with self.lock:
            for operation in self._operations.values():
                if not operation.done and operation.due <= before:
                    operation.done = True
                    self._jobs.pop(operation.job, None)

    def operation(self, name: str) -> Operation:
        """Return an operation.

        Raises:
            ApiError: 404 if there is none.
        """
        with self.lock:
            operation = self._operations.get(name)
            if operation is None:
                raise errors.not_found("Operation")
            return operation
