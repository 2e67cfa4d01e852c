"""The part of MemoryStore for job times."""

from collections import defaultdict
from collections.abc import Iterator

from batch_gateway.core.timing.job_times import DailyTimes, JobTime, Owner, TimeCounts, counts_of


class MemoryJobTimes:
    """The part of the Store port for job times, a mix-in of MemoryStore."""

    _times: defaultdict[tuple[Owner | None, str, str, str], TimeCounts]

    def ping(self) -> None:
        """Raise StoreUnavailableError while the store is down: MemoryStore does."""

    def _add_to_times(self, job: JobTime | None) -> None:
        if job is not None:
            for owner in {None, job.owner}:
                self._times[owner, job.day, job.model, job.location].add(counts_of(job))

    def daily_times(self, owner: Owner | None, first: str, last: str) -> Iterator[DailyTimes]:
        self.ping()
        for (each, day, model, location), counts in sorted(self._times.items(), key=lambda item: item[0][1:]):
            if each == owner and first <= day <= last:
                yield DailyTimes(day, model, location, counts)
