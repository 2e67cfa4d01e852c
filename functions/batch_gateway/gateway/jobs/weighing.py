"""Estimates of jobs that were created without one: most are, so that a create does not wait for it.

Only a key with a budget has its create weighed before it is sent. Any other job is weighed by whoever first
wants to know what it will cost: a call for its cost, else the sweep. Not in the create's own request: there
it would take time from the answer, and a Cloud Run function has no time after it.
"""

import msgspec

from batch_gateway.core.jobs.cost_bounds import UNKNOWN_BOUNDS, Bounds
from batch_gateway.core.jobs.record import JobRecord
from batch_gateway.gateway.jobs.estimate import Estimates
from batch_gateway.ports import Store

SECONDS = 2.0
"""How long the sample of one input is read; the estimate is then made of what was read."""


class Weighing:
    """Puts a job's estimate on record, once."""

    def __init__(self, store: Store, estimates: Estimates) -> None:
        self._store = store
        self._estimates = estimates

    def weigh(self, job: JobRecord) -> None:
        """Estimate a job that has no estimate and no output yet, and put that on record.

        It is noted before the input is read that somebody does. So nobody does it twice, and an input that
        takes long to be refused does so in one request only.

        Raises:
            StoreUnavailableError: The books cannot be reached.
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
            # Of inputs that are not all on record, those that are would say too little.
            return
        estimate = self._estimates.of_job(claimed[0], SECONDS)
        bounds = Bounds(estimate.low_nano, estimate.expected_nano, estimate.high_nano)
        self._store.amend_job(job.key, lambda record: msgspec.structs.replace(record, estimate=bounds))


def _is_unweighed(job: JobRecord) -> bool:
    """Return whether nobody has looked yet, and it is not too late: an estimate knows no output."""
    return job.estimate is None and not job.settled_outputs and not job.closed
