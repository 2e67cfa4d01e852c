"""Find the record of a job that a caller may see, and bring it up to date."""

from batch_gateway.core.access.callers import job_not_allowed
from batch_gateway.core.errors import ApiError
from batch_gateway.core.jobs.record import JobRecord
from batch_gateway.gateway.http.call import Call
from batch_gateway.logs import log
from batch_gateway.ports import (
    Absent,
    JobStore,
    RecordError,
    Upstream,
    UpstreamCredentialsError,
    UpstreamUnavailableError,
)
from batch_gateway.tracking import Tracker


class OwnedJobs:
    """Access to the records of jobs; Vertex AI is asked only about jobs that are not closed."""

    def __init__(self, store: JobStore, upstream: Upstream, tracker: Tracker) -> None:
        self._store = store
        self._upstream = upstream
        self._tracker = tracker

    def find(self, call: Call) -> JobRecord:
        """Return the record of the job in the path.

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
        return job

    def refresh(self, job: JobRecord) -> JobRecord:
        """Return a job's record with the state that Vertex AI shows now; the record as it is if it is closed.

        If Vertex AI does not answer, the record is still the best answer; its state is as old as the last
        refresh.
        """
        if job.closed:
            return job
        try:
            seen = self._upstream.get_job(job.key)
        except (UpstreamUnavailableError, UpstreamCredentialsError) as error:
            log("WARNING", "job not refreshed", job=job.key.path, error=error)
            return job
        looked = self._tracker.observe(job.key.project, [] if isinstance(seen, Absent) else [seen])
        return looked.changed.get(job.key, job)
