"""Keep job records up to date with the job resources in Vertex AI's answers."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from threading import Lock
from typing import Any, NamedTuple

from batch_gateway import log_events
from batch_gateway.core.jobs.record import JobKey, JobRecord, Observation, observe, parse_name
from batch_gateway.ports import JobStore, RecordError

_REMEMBERED_JOBS = 10_000


def record_observations(store: JobStore, seen: Mapping[JobKey, Observation]) -> dict[JobKey, JobRecord]:
    """Save the observed states of jobs, and log each change of state.

    Returns:
        The records of those jobs that are on record.
    """
    found = store.observe(seen)
    for before, now in found.values():
        if before.seen.state != now.seen.state:
            log_events.state_changed(before, now)
    return {key: observed.now for key, observed in found.items()}


class TrackedJobs(NamedTuple):
    """The result of observing jobs.

    Attributes:
        changed: Records of the jobs that have changed since this instance last saw them.
        unknown: Jobs that are not on record.
        refused: Errors of the jobs whose record could not be updated.
    """

    changed: dict[JobKey, JobRecord]
    unknown: dict[JobKey, Observation]
    refused: dict[JobKey, RecordError]


class Tracker:
    """Updates job records from job resources.

    Most of the traffic is polling, and most polls show nothing new. So an instance remembers the last state
    that it has seen of each job: an unchanged job takes no read and no write of Firestore.
    """

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._lock = Lock()
        self._last_seen: OrderedDict[JobKey, Observation] = OrderedDict()

    def observe(self, project: str, jobs: Iterable[dict[str, Any]]) -> TrackedJobs:
        """Record the states of full job resources of one project (id as configured).

        Raises:
            StoreUnavailableError: Firestore cannot be reached. The next answer shows the same states again.
        """
        changed: dict[JobKey, Observation] = {}
        for job in jobs:
            seen = observe(job)
            if seen is None:
                continue
            _, location, job_id = parse_name(seen.name) or ("", "", "")
            key = JobKey(project, location, job_id)
            if self._last_seen.get(key) != seen:
                changed[key] = seen
        if not changed:
            return TrackedJobs({}, {}, {})
        records, refused = self._record(changed)
        with self._lock:
            # A job that is not on record may be added at any moment, so it is not remembered.
            for key in records:
                self._last_seen[key] = changed[key]
                self._last_seen.move_to_end(key)
            while len(self._last_seen) > _REMEMBERED_JOBS:
                self._last_seen.popitem(last=False)
        noted = records.keys() | refused.keys()
        return TrackedJobs(records, {key: seen for key, seen in changed.items() if key not in noted}, refused)

    def _record(
        self, changed: Mapping[JobKey, Observation]
    ) -> tuple[dict[JobKey, JobRecord], dict[JobKey, RecordError]]:
        """Record all jobs at once, or one by one if a record is unreadable, to leave out only that one."""
        try:
            return record_observations(self._store, changed), {}
        except RecordError as error:
            if len(changed) == 1:
                return {}, dict.fromkeys(changed, error)
        records: dict[JobKey, JobRecord] = {}
        refused: dict[JobKey, RecordError] = {}
        for key, seen in changed.items():
            found, failed = self._record({key: seen})
            records |= found
            refused |= failed
        return records, refused
