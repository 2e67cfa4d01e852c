"""Define the store of job times."""

from collections.abc import Iterator
from typing import Protocol

from batch_gateway.core.timing.job_times import DailyTimes, Owner


class JobTimeStore(Protocol):
    """The times that jobs waited and ran, by day. Errors are as in Store."""

    def daily_times(self, owner: Owner | None, first: str, last: str) -> Iterator[DailyTimes]:
        """Yield the times of jobs that ended on some UTC days; those of a day and model may come in parts.

        The number of reads does not depend on the number of jobs.

        Args:
            owner: Owner of the jobs; None for all jobs.
            first: The first day, ``2026-11-22``.
            last: The last day.
        """
