"""Weigh jobs: estimate those that were created without an estimate.

Most are, so that creates need not wait for it: only creates of a key with a budget are estimated before they
are sent. Any other job is weighed by the first call for its cost, or else by the sweep. It cannot be done in
the create's own request: there it would delay the answer, and a Cloud Run function has no time after that.
"""

import msgspec

from batch_gateway.core.jobs.cost_bounds import UNKNOWN_BOUNDS, Bounds
from batch_gateway.core.jobs.record import JobRecord
from batch_gateway.gateway.jobs.estimate import Estimates
from batch_gateway.ports import JobStore

SECONDS = 2.0
"""Time limit for reading the sample of one input; the estimate is made from what was read."""


class Weighing:
    """Recorder of estimates, once for each job."""

    def __init__(self, store: JobStore, estimates: Estimates) -> None:
        self._store = store
        self._estimates = estimates

    def weigh(self, job: JobRecord) -> None:
        """Estimate a job that has no estimate and no output yet, and record the estimate.

        The job is claimed before its input is read. So it is estimated only once, and an input that fails
        slowly delays one request only.

        Raises:
            StoreUnavailableError: Firestore does not answer.
        """
        if not _is_unweighed(job):
            return
        claimed = self._store.amend_job(
            job.key,
            lambda record: (
                msgspec.structs.replace(record, estimate=UNKNOWN_BOUNDS) if _is_unweighed(record) else None
            ),
        )
        if claimed is None or claimed[0].seen.input_uris_cut:
            # Only part of the input URIs are on record: an estimate from them would be too low.
            return
        estimate = self._estimates.estimate_job(claimed[0], SECONDS)
        bounds = Bounds(estimate.low_nano, estimate.expected_nano, estimate.high_nano)
        self._store.amend_job(job.key, lambda record: msgspec.structs.replace(record, estimate=bounds))


def _is_unweighed(job: JobRecord) -> bool:
    """Return whether a job can still be weighed: nobody has claimed it, and it has no output yet."""
    return job.estimate is None and not job.settled_outputs and not job.closed
