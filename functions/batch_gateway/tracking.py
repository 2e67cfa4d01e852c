"""Follows jobs through the answers that pass by."""

from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock
from typing import Any

from batch_gateway.core.jobs import JobKey, JobRecord, Observation, observe, parse_name
from batch_gateway.ports import Store

_REMEMBERED_JOBS = 10_000


class Tracker:
    """Brings the books up to date with job resources that were seen.

    Polling is most of the traffic and most polls show nothing new, so an instance remembers what it
    has last seen of a job: an unchanged job costs no read and no write of Firestore.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._last_seen: OrderedDict[JobKey, Observation] = OrderedDict()

    def see(self, project: str, jobs: Iterable[dict[str, Any]]) -> dict[JobKey, JobRecord]:
        """Takes note of whole job resources of one project (id as configured).

        Returns:
            The records of the jobs that are on record and had changed since this instance saw them.

        Raises:
            StoreUnavailableError: Nothing is lost: the next answer shows the same again.
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
            return {}
        records = self._store.observe(changed)
        with self._lock:
            # A job that is not on record may be just about to be: then the next look must count.
            for key in records:
                self._last_seen[key] = changed[key]
                self._last_seen.move_to_end(key)
            while len(self._last_seen) > _REMEMBERED_JOBS:
                self._last_seen.popitem(last=False)
        return records
