"""Follows jobs through the answers that pass by."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from threading import Lock
from typing import Any, NamedTuple

from batch_gateway import log_events
from batch_gateway.core.jobs.record import JobKey, JobRecord, Observation, observe, parse_name
from batch_gateway.ports import RecordError, Store

_REMEMBERED_JOBS = 10_000


def note(store: Store, seen: Mapping[JobKey, Observation]) -> dict[JobKey, JobRecord]:
    """Brings records up to date with what was seen, and says where a job's state changed.

    Returns:
        The records of those jobs that are on record.
    """
    found = store.observe(seen)
    for before, now in found.values():
        if before.seen.state != now.seen.state:
            log_events.state_changed(before, now)
    return {key: observed.now for key, observed in found.items()}


class Seen(NamedTuple):
    """What came of a look at jobs.

    Attributes:
        changed: Records of those that had changed since this instance saw them.
        unknown: Those that are not on record.
        refused: Why the books could not take note of a job.
    """

    changed: dict[JobKey, JobRecord]
    unknown: dict[JobKey, Observation]
    refused: dict[JobKey, RecordError]


class Tracker:
    """Brings the books up to date with job resources that were seen.

    Polling is most of the traffic and most polls show nothing new, so an instance remembers what it
    has last seen of a job: an unchanged job costs no read and no write of Firestore.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._last_seen: OrderedDict[JobKey, Observation] = OrderedDict()

    def see(self, project: str, jobs: Iterable[dict[str, Any]]) -> Seen:
        """Takes note of whole job resources of one project (id as configured).

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
            return Seen({}, {}, {})
        records, refused = self._note(changed)
        with self._lock:
            # A job that is not on record may be just about to be: then the next look must count.
            for key in records:
                self._last_seen[key] = changed[key]
                self._last_seen.move_to_end(key)
            while len(self._last_seen) > _REMEMBERED_JOBS:
                self._last_seen.popitem(last=False)
        noted = records.keys() | refused.keys()
        return Seen(records, {key: seen for key, seen in changed.items() if key not in noted}, refused)

    def _note(
        self, changed: Mapping[JobKey, Observation]
    ) -> tuple[dict[JobKey, JobRecord], dict[JobKey, RecordError]]:
        """Takes note of all jobs at once, or one by one if a record is at fault: it costs itself alone."""
        try:
            return note(self._store, changed), {}
        except RecordError as error:
            if len(changed) == 1:
                return {}, dict.fromkeys(changed, error)
        records: dict[JobKey, JobRecord] = {}
        refused: dict[JobKey, RecordError] = {}
        for key, seen in changed.items():
            found, failed = self._note({key: seen})
            records |= found
            refused |= failed
        return records, refused
