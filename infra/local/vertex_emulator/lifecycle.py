"""Advance jobs by the clock or by hand: PENDING, RUNNING row by row, and an end.

Observed live: a create answers PENDING; a job whose bucket is bad goes from PENDING to FAILED; a job with
failed rows ends SUCCEEDED; a cancelled one carries `error.code` 1 "CANCELED". Google's batch page: of a
terminated job "all completed rows are exported". What no source says is a job's `Layout`.
"""

import random
import threading
import time
from dataclasses import dataclass
from typing import Any

from . import errors, inputs, output
from .jobs import (
    CANCELLED,
    CANCELLING,
    FAILED,
    PARTIALLY_SUCCEEDED,
    PENDING,
    RUNNING,
    SUCCEEDED,
    TERMINAL,
    Job,
    JobStore,
)
from .storage import JobFailure, Storage
from .tables import Tables

_TICK_SECONDS = 0.02
_EXPORTS = 10  # incremental ones of a job that moves by the clock
_MOST_RUNNING_SECONDS = 60.0


@dataclass(frozen=True)
class Speed:
    """The speed at which the clock advances jobs.

    Attributes:
        pending_seconds: From the create to RUNNING (or to FAILED, if the input can't be read).
        seconds_per_row: From one row to the next; less where all rows would take more than a minute.
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
    """Advances the jobs of a store, in one thread at a time.

    Args:
        store: The jobs.
        storage: Where their rows come from and go to.
        tables: The same for BigQuery.
        speed: For the moves by the clock.
        seed: Seed of the order of the output and of arbitrary values.
    """

    def __init__(self, store: JobStore, storage: Storage, tables: Tables, speed: Speed, seed: int) -> None:
        self._store = store
        self._storage = storage
        self._tables = tables
        self._speed = speed
        self._seed = seed
        self._moving = threading.RLock()
        self._stopped = threading.Event()

    def run(self) -> None:
        """Advance jobs by the clock until `stop`."""
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
                if whole is None:
                    whole = min(self._speed.seconds_per_row * len(job.lines), _MOST_RUNNING_SECONDS)
                each = whole / len(job.lines)
                # With short ticks, a large file would be written too often.
                least = max(1, len(job.lines) // _EXPORTS)
                most = len(job.lines) - job.held
                self._process(job, min(most, int(passed / each)) if each else most, least=least)

    def step(self, job: Job, count: int | None = None) -> None:
        """Advance a job by one step: to RUNNING, or by `count` rows (default: all), or out of CANCELLING."""
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
        """End a job in a given state.

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
            found = self._read(job)
        except JobFailure as failure:
            self._fail(job, failure)
            return
        with self._store.lock:
            if job.state == PENDING:  # otherwise it was cancelled meanwhile
                job.lines, job.fails = [row.line for row in found], [row.fails for row in found]
                job.held = sum(row.holds for row in found)
                job.move(RUNNING)
                if job.layout.shown == "running":
                    job.output_info = output.location(job)

    def _read(self, job: Job) -> list[inputs.Row]:
        target = job.body["outputConfig"]
        if "gcsDestination" in target:
            self._storage.check_bucket(target["gcsDestination"]["outputUriPrefix"])
        elif "bigqueryDestination" not in target:
            raise JobFailure(errors.UNIMPLEMENTED, "The emulator writes Cloud Storage and BigQuery only.")
        found = inputs.read(job, self._storage, self._tables)
        shuffled = found.copy()
        random.Random(self._seed).shuffle(shuffled)
        # Vertex AI doesn't keep the order, so no client may depend on it.
        shuffled = shuffled if shuffled != found else found[1:] + found[:1]
        return sorted(shuffled, key=lambda row: row.holds)

    def _output(self) -> output.Output:
        return output.Output(self._storage, self._tables, self._seed)

    def _process(self, job: Job, done: int, *, least: int = 1) -> None:
        """Record the number of processed rows of a running job, and end it after the last.

        Args:
            job: The job.
            done: How many are done by now.
            least: How many rows are worth an incremental export.
        """
        with self._store.lock:
            if job.state != RUNNING:
                return
            job.progress(min(done, len(job.lines)))
        if job.done == len(job.lines):
            self._end(job, SUCCEEDED)
        elif job.done - job.exported >= least:
            try:
                self._output().export(job)
            except JobFailure as failure:
                self._fail(job, failure)

    def _cancelled(self, job: Job) -> None:
        self._end(job, CANCELLED, {"code": errors.CANCELLED, "message": "CANCELED"})

    def _end(self, job: Job, state: str, error: dict[str, Any] | None = None, *, write: bool = True) -> None:
        """Write the output, and only then end the job."""
        good = state in (SUCCEEDED, PARTIALLY_SUCCEEDED)
        leaves = "final" if good else job.layout.ended
        if job.done and write:
            try:
                if leaves == "incremental":
                    self._output().export(job)
                elif leaves == "final":
                    self._output().write(job, whole=not good and job.layout.unprocessed == "listed")
            except JobFailure as failure:
                self._fail(job, failure)
                return
        with self._store.lock:
            if job.done and (good or (leaves != "nothing" and job.layout.shown != "succeeded")):
                job.output_info = output.location(job)
            job.move(state, error)

    def _fail(self, job: Job, failure: JobFailure) -> None:
        with self._store.lock:
            if job.state not in TERMINAL:
                job.move(FAILED, {"code": failure.code, "message": failure.message})
