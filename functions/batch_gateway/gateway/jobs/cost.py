"""Report the cost of one job."""

from collections.abc import Callable
from datetime import datetime

from werkzeug.wrappers import Response

from batch_gateway.core.access.callers import job_not_allowed
from batch_gateway.core.errors import ApiError
from batch_gateway.core.jobs.cost_report import cost_report
from batch_gateway.core.jobs.record import JobRecord
from batch_gateway.gateway.http import responses
from batch_gateway.gateway.http.call import Call
from batch_gateway.gateway.jobs.weighing import Weighing
from batch_gateway.logs import log
from batch_gateway.ports import (
    Absent,
    JobStore,
    RecordError,
    Upstream,
    UpstreamCredentialsError,
    UpstreamUnavailableError,
)
from batch_gateway.settlement.closing import close_if_settled
from batch_gateway.settlement.deps import SettlementDeps
from batch_gateway.tracking import Tracker


class Costs:
    """Handler of cost reports; Vertex AI is asked only about jobs that are not closed."""

    def __init__(
        self,
        store: JobStore,
        upstream: Upstream,
        settlement: Callable[[], SettlementDeps],
        tracker: Tracker,
        weighing: Weighing,
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._upstream = upstream
        self._settlement = settlement
        self._tracker = tracker
        self._weighing = weighing
        self._now = now

    def get(self, call: Call) -> Response:
        """Return the current cost of one job.

        A job that is not closed is refreshed, estimated if it has no estimate, and closed if it has ended and
        all its output is settled; the event of that is delivered by the next sweep.

        Raises:
            ApiError: NOT_FOUND if the job is not on record, PERMISSION_DENIED if it is another team's.
            StoreUnavailableError: Firestore does not answer.
            RecordError: The job's record cannot be read.
        """
        key = call.key
        try:
            job = self._store.get_job(key)
        except RecordError:
            if call.caller.scope is None:
                raise
            # A record that cannot be read does not show its owner.
            job = None
        if call.caller.scope and (job is None or not call.caller.owns(job.seen.labels)):
            raise job_not_allowed("get", key.path)
        if job is None:
            raise ApiError(
                "NOT_FOUND",
                "JOB_NOT_ON_RECORD",
                f"The gateway has no record of {key.path}. Check the id. A job that was created outside the "
                "gateway is put on record by the sweep if it is less than seven days old.",
            )
        if not job.closed:
            job = self._refresh(job)
            self._weighing.weigh(job)
            if job.seen.terminal:
                self._close(job)
        job, outputs = self._store.get_job_and_outputs(key) or (job, [])
        return responses.json(cost_report(job, outputs))

    def _close(self, job: JobRecord) -> None:
        try:
            close_if_settled(job, self._settlement(), self._now())
        except OSError as error:
            # The next call tries again.
            log("WARNING", "output not listed", job=job.key.path, error=error)

    def _refresh(self, job: JobRecord) -> JobRecord:
        try:
            seen = self._upstream.get_job(job.key)
        except (UpstreamUnavailableError, UpstreamCredentialsError) as error:
            # The record is still the best answer; its state is as old as the last refresh.
            log("WARNING", "job not refreshed", job=job.key.path, error=error)
            return job
        looked = self._tracker.observe(job.key.project, [] if isinstance(seen, Absent) else [seen])
        return looked.changed.get(job.key, job)
