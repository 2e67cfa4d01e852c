"""Report the cost of one job."""

from collections.abc import Callable
from datetime import datetime

from werkzeug.wrappers import Response

from batch_gateway.core.jobs.cost_report import cost_report
from batch_gateway.core.jobs.record import JobRecord
from batch_gateway.gateway.http import responses
from batch_gateway.gateway.http.call import Call
from batch_gateway.gateway.jobs.owned_jobs import OwnedJobs
from batch_gateway.gateway.jobs.weighing import Weighing
from batch_gateway.logs import log
from batch_gateway.ports import JobStore
from batch_gateway.settlement.closing import close_if_settled
from batch_gateway.settlement.deps import SettlementDeps


class Costs:
    """Handler of cost reports."""

    def __init__(
        self,
        store: JobStore,
        jobs: OwnedJobs,
        settlement: Callable[[], SettlementDeps],
        weighing: Weighing,
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._jobs = jobs
        self._settlement = settlement
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
        job = self._jobs.find(call)
        if not job.closed:
            job = self._jobs.refresh(job)
            self._weighing.weigh(job)
            if job.seen.terminal:
                self._close(job)
        job, outputs = self._store.get_job_and_outputs(call.key) or (job, [])
        return responses.json(cost_report(job, outputs))

    def _close(self, job: JobRecord) -> None:
        try:
            close_if_settled(job, self._settlement(), self._now())
        except OSError as error:
            # The next call tries again.
            log("WARNING", "output not listed", job=job.key.path, error=error)
