"""The sweep: finds what events and answers missed, so that the books are right whatever was lost.

It checks budgets, looks through the served places (jobs change unseen, or were made outside the gateway),
then at closed jobs that are still watched, at jobs that are not closed, those that have ended first, and at
outputs of nobody; what time is left goes into estimates of jobs that have none. Each step may be cut short
by the time limit and done by two sweeps at once: jobs come in turn, and what is done twice comes to the same.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import msgspec

from batch_gateway.core.accounting.settlement import Output
from batch_gateway.core.jobs.output_names import directory_of, split_uri
from batch_gateway.core.jobs.record import JobKey, JobRecord
from batch_gateway.logs import log
from batch_gateway.notify.delivery import deliver_due
from batch_gateway.settlement.deps import SettlementDeps
from batch_gateway.settlement.enforcement import check_budgets
from batch_gateway.settlement.job_lookup import find_job
from batch_gateway.settlement.outputs import lose, settle_live
from batch_gateway.settlement.sweep_jobs import JobLooks
from batch_gateway.settlement.sweep_places import Shown, look_through_places
from batch_gateway.settlement.sweep_progress import WORKERS, Progress, Sweep
from batch_gateway.tracking import Tracker

SECONDS = 30.0
"""How long one sweep may take, and 25 s more for the last event that it sends out: within the time limit that
an HTTP function has unless told otherwise."""
_BUDGETS_UNTIL, _PLACES_UNTIL, _WATCHED_UNTIL, _ENDED_UNTIL, _JOBS_UNTIL, _PARKED_UNTIL, _EVENTS_UNTIL = (
    0.15,
    0.3,
    0.4,
    0.55,
    0.7,
    0.85,
    1.0,
)
"""By when, in shares of that time, a step makes way for the next one."""
_MOST_WATCHED = 500
"""Closed jobs that are looked at in one sweep; those that have waited longest come first."""
_MOST_OPEN = 2_000
"""Jobs that are not closed and are looked at in one sweep: what a sweep reads is bounded."""
_MOST_ENDED = 500
_MOST_PARKED = 200


def reconcile(
    places: Iterable[tuple[str, str]],
    tracker: Tracker,
    deps: SettlementDeps,
    now: datetime,
    seconds: float = SECONDS,
    *,
    weigh: Callable[[JobRecord], None],
) -> Sweep:
    """Sweeps once.

    Args:
        places: (project id, location) of every place that is served.
        tracker: Remembers jobs, so that unchanged ones cost nothing.
        deps: The outside.
        now: The time.
        seconds: Time limit.
        weigh: Puts the estimate of a job that has none on record.

    Raises:
        StoreUnavailableError: The books cannot be reached; the next sweep does what is left.
    """
    sweep = _Sweeping(tracker, deps, now, seconds)
    sweep.check_budgets()
    sweep.look_through(list(places))
    sweep.watch_closed_jobs()
    sweep.finish_jobs()
    sweep.settle_parked()
    sweep.send_events()
    sweep.weigh_jobs(weigh)
    done = sweep.progress.done
    log("INFO", "sweep done", event="sweep.done", **msgspec.structs.asdict(done))
    return done


class _Sweeping:
    def __init__(self, tracker: Tracker, deps: SettlementDeps, now: datetime, seconds: float) -> None:
        self.progress = Progress(deps, seconds)
        self._tracker = tracker
        self._deps = deps
        self._now = now
        self._over: AbstractSet[str] = set()
        self._open: list[JobRecord] = []
        self._looks = JobLooks(Shown(set(), {}), set(), deps, self.progress, now)
        self._unweighed: dict[JobKey, JobRecord] = {}

    def check_budgets(self) -> None:
        """Finds the budgets that are passed, and says so."""
        self.progress.begin_step(_BUDGETS_UNTIL)
        self._over = check_budgets(self._deps, self.progress, self._now)

    def look_through(self, places: list[tuple[str, str]]) -> None:
        """Brings recent jobs and open ones up to date, and lets go of creates that made none."""
        found = self._deps.store.open_jobs(_MOST_OPEN)
        if len(found) == _MOST_OPEN:
            self.progress.leave_incomplete()
        self._open = list(self.progress.readable(found))
        self.progress.begin_step(_PLACES_UNTIL)
        shown = look_through_places(
            places, self._open, tracker=self._tracker, deps=self._deps, progress=self.progress, now=self._now
        )
        self._looks = JobLooks(shown, self._over, self._deps, self.progress, self._now)

    def watch_closed_jobs(self) -> None:
        """Looks whether output came, or was overwritten, after a job was closed."""
        self.progress.begin_step(_WATCHED_UNTIL)
        jobs = list(self.progress.readable(self._deps.store.watched_jobs(self._now, _MOST_WATCHED)))
        with ThreadPoolExecutor(WORKERS, "watched") as pool:
            for start in range(0, len(jobs), WORKERS):
                if self.progress.is_late():
                    return
                list(pool.map(self._looks.watch, jobs[start : start + WORKERS]))

    def finish_jobs(self) -> None:
        """Looks at jobs that are not closed, those first that have ended; settles what is missing of them."""
        self.progress.begin_step(_ENDED_UNTIL)
        ended = self._deps.store.ended_jobs(_MOST_ENDED)
        jobs = [job for job in ended if isinstance(job, JobRecord)]
        if len(ended) == _MOST_ENDED:
            self.progress.leave_incomplete()
        had: set[JobKey] = set()
        with ThreadPoolExecutor(WORKERS, "jobs") as pool:
            for batch in _batches(jobs, self._looks.needs_calls):
                if self.progress.is_late():
                    break
                # The turn moves on before they are looked at: a job that nobody gets through with, and that
                # ends the instance, is met again only after all others.
                self._deps.store.pass_turn("ended", batch[-1].key)
                list(pool.map(self._look, batch))
                had |= {job.key for job in batch}
            self.progress.begin_step(_JOBS_UNTIL)
            rest = [self._looks.as_listed(job) for job in self._open if job.key not in had]
            for batch in _batches(rest, self._looks.needs_calls):
                if self.progress.is_late():
                    return
                self._deps.store.pass_turn("jobs", batch[-1].key)
                list(pool.map(self._look, batch))

    def _look(self, job: JobRecord) -> None:
        if job.estimate is None:
            self._unweighed[job.key] = job
        self._looks.look(job)

    def settle_parked(self) -> None:
        """Looks again whose the outputs of nobody are."""
        self.progress.begin_step(_PARKED_UNTIL)
        found = self._deps.store.parked(_MOST_PARKED)
        if len(found) == _MOST_PARKED:
            self.progress.leave_incomplete()
        for output in self.progress.readable(found):
            if self.progress.is_late():
                return
            self._deps.store.pass_turn("parked", output)
            with self.progress.going_on(output.uri):
                self._settle_parked(output)

    def weigh_jobs(self, weigh: Callable[[JobRecord], None]) -> None:
        """Has jobs estimated that were created without, for as long as there is time."""
        for job in self._unweighed.values():
            if self.progress.is_over():
                return
            with self.progress.going_on(job.key.path):
                weigh(job)

    def send_events(self) -> None:
        """Sends out what happened, and what could not be delivered before."""
        self.progress.begin_step(_EVENTS_UNTIL)
        sent = deliver_due(self._deps.notify(), self._now, self.progress.until, self.progress.events)
        self.progress.count(delivered=sent.delivered)
        for problem in sent.problems:
            self.progress.leave_incomplete(problem)

    def _settle_parked(self, output: Output) -> None:
        bucket, name = split_uri(output.uri)
        job = find_job(directory_of(bucket, name), self._deps)
        live = self._deps.objects.stat(bucket, name)
        if job is None and live is not None:
            self.progress.count(parked=1)
            return
        if job is not None and live is not None:
            deadline = self.progress.deadline()
            settled = settle_live(job, bucket, live, self._deps, now=self._now, deadline=deadline)
            self.progress.count(settled=settled)
        elif job is not None:
            lose(job, output.uri, self._deps, now=self._now)
        self._deps.store.unpark(output)


def _batches(
    jobs: Sequence[JobRecord], needs_calls: Callable[[JobRecord], bool]
) -> Iterator[list[JobRecord]]:
    """Divide jobs, in order, into batches of as many as are looked at at once, not counting plain ones."""
    batch: list[JobRecord] = []
    calls = 0
    for job in jobs:
        batch.append(job)
        calls += needs_calls(job)
        if calls == WORKERS:
            yield batch
            batch, calls = [], 0
    if batch:
        yield batch
