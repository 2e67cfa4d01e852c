"""How jobs move on: PENDING, RUNNING row by row, and an end, by the clock or by hand.

Observed live: a create answers PENDING; a job whose bucket is bad goes from PENDING to FAILED; a job with
failed rows ends SUCCEEDED; a cancelled one carries `error.code` 1 "CANCELED". Google's batch page: of a
terminated job "all completed rows are exported".
"""

import json
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from . import errors, rows, timestamps
from .jobs import CANCELLED, CANCELLING, FAILED, PENDING, RUNNING, SUCCEEDED, TERMINAL, Job, JobStore
from .models import family
from .storage import JobFailure, Storage

_TICK_SECONDS = 0.02


@dataclass(frozen=True)
class Speed:
    """How fast things happen when they happen by themselves.

    Attributes:
        pending_seconds: From the create to RUNNING (or to FAILED, if the input can't be read).
        seconds_per_row: From one row to the next.
        running_seconds: For all rows together, instead of `seconds_per_row`.
        cancelling_seconds: From CANCELLING to CANCELLED.
        delete_seconds: How long the operation of a delete takes.
    """

    pending_seconds: float = 0.5
    seconds_per_row: float = 0.05
    running_seconds: float | None = None
    cancelling_seconds: float = 0.2
    delete_seconds: float = 0.0


class Lifecycle:
    """Moves the jobs of a store; only one thread does so at a time.

    Args:
        store: The jobs.
        storage: Where their rows come from and go to.
        speed: For the moves by the clock.
        seed: For the order of the output and the values that nobody counts on.
    """

    def __init__(self, store: JobStore, storage: Storage, speed: Speed, seed: int) -> None:
        self._store = store
        self._storage = storage
        self._speed = speed
        self._seed = seed
        self._moving = threading.RLock()
        self._stopped = threading.Event()

    def run(self) -> None:
        """Move jobs by the clock until `stop`."""
        while not self._stopped.wait(_TICK_SECONDS):
            for job in reversed(self._store.all()):
                self._tick(job)
            self._store.finish_deletions(time.monotonic())

    def stop(self) -> None:
        """End `run`."""
        self._stopped.set()

    def _tick(self, job: Job) -> None:
        with self._moving:
            passed = time.monotonic() - job.since
            if job.state == PENDING and passed >= self._speed.pending_seconds:
                self._start(job)
            elif job.state == CANCELLING and passed >= self._speed.cancelling_seconds:
                self._cancelled(job)
            elif job.state == RUNNING:
                whole = self._speed.running_seconds
                each = self._speed.seconds_per_row if whole is None else whole / len(job.lines)
                self._process(job, int(passed / each) if each else len(job.lines))

    def step(self, job: Job, count: int | None = None) -> None:
        """Move a job on by one: to RUNNING, or by `count` rows (default: all), or out of CANCELLING."""
        with self._moving:
            if job.state == PENDING:
                self._start(job)
            elif job.state == CANCELLING:
                self._cancelled(job)
            elif job.state == RUNNING:
                self._process(job, len(job.lines) if count is None else job.done + count)

    def finish(
        self,
        job: Job,
        state: str = SUCCEEDED,
        error: dict[str, Any] | None = None,
        count: int | None = None,
        *,
        write: bool = True,
    ) -> None:
        """Bring a job to an end of one's choice.

        Args:
            job: The job; one that has finished stays as it is.
            state: A terminal state. Input that can't be read fails the job nevertheless.
            error: The job's `error`.
            count: How many rows get processed; by default all. With 0 of them a job ends from PENDING.
            write: False for an export that was refused: `outputInfo` is set, but nothing is there.
        """
        with self._moving:
            if job.state == PENDING and count != 0:
                self._start(job)
            if job.state == CANCELLING:
                self._cancelled(job)
            if job.state not in TERMINAL:
                job.progress(min(len(job.lines), len(job.lines) if count is None else max(job.done, count)))
                self._end(job, state, error, write=write)

    def _start(self, job: Job) -> None:
        """Read the input, and let the job run or fail."""
        try:
            lines = self._read(job)
            fails = [_fails(job, line) for line in lines]
        except JobFailure as failure:
            self._fail(job, failure)
            return
        with self._store.lock:
            if job.state == PENDING:  # else it was cancelled meanwhile
                job.lines, job.fails = lines, fails
                job.move(RUNNING)

    def _read(self, job: Job) -> list[bytes]:
        source = job.body["inputConfig"].get("gcsSource")
        target = job.body["outputConfig"].get("gcsDestination")
        if source is None or target is None:
            raise JobFailure(errors.UNIMPLEMENTED, "The emulator reads and writes Cloud Storage only.")
        self._storage.check_bucket(target["outputUriPrefix"])
        lines = self._storage.read_lines(source["uris"])
        shuffled = lines.copy()
        random.Random(self._seed).shuffle(shuffled)
        # Vertex AI doesn't keep the order, and nobody must count on luck.
        return shuffled if shuffled != lines else lines[1:] + lines[:1]

    def _process(self, job: Job, done: int) -> None:
        with self._store.lock:
            if job.state != RUNNING:
                return
            job.progress(min(done, len(job.lines)))
            complete = job.done == len(job.lines)
        if complete:
            self._end(job, SUCCEEDED)

    def _cancelled(self, job: Job) -> None:
        self._end(job, CANCELLED, {"code": errors.CANCELLED, "message": "CANCELED"})

    def _end(self, job: Job, state: str, error: dict[str, Any] | None = None, *, write: bool = True) -> None:
        """Write what is done, and only then say that the job has ended."""
        directory = _output_directory(job) if job.done else ""
        if directory and write:
            try:
                self._storage.write_lines(f"{directory}/predictions.jsonl", self._output(job))
            except JobFailure as failure:
                self._fail(job, failure)
                return
        with self._store.lock:
            job.output_directory = directory
            job.move(state, error)

    def _fail(self, job: Job, failure: JobFailure) -> None:
        with self._store.lock:
            if job.state not in TERMINAL:
                job.move(FAILED, {"code": failure.code, "message": failure.message})

    def _output(self, job: Job) -> Iterator[bytes]:
        rng = random.Random(f"{self._seed}/{job.id}")
        kind = family(job.model)
        started = job.start_time or job.create_time
        each = (timestamps.now() - started) / job.done
        for number, line in enumerate(job.lines[: job.done], 1):
            yield rows.line(kind, job.model, json.loads(line), started + number * each, rng)


def _fails(job: Job, line: bytes) -> bool:
    row = json.loads(line)
    try:
        rows.check_options(row)
    except ValueError as error:
        raise JobFailure(errors.INVALID_ARGUMENT, f"Failed to import data. {error}") from error
    return bool(rows.outcome(family(job.model), row))


def _output_directory(job: Job) -> str:
    """Return the directory, whose timestamp is near `createTime` but never equal to it."""
    prefix = job.body["outputConfig"]["gcsDestination"]["outputUriPrefix"].removesuffix("/")
    moment = job.create_time + timedelta(microseconds=random.Random(job.id).randint(20_000, 900_000))
    return f"{prefix}/prediction-model-{timestamps.rfc3339(moment)}"
