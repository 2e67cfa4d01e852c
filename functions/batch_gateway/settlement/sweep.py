"""The sweep: find what events and answers missed, so that costs are right whatever was lost.

It checks budgets, lists the jobs of the served places (jobs change unseen, or are created outside the
gateway), then checks closed jobs that are still watched, open jobs (ended ones first) and parked outputs.
The time that is left goes into estimates of jobs that have none. The time limit may cut each step short, and
two sweeps may run at once: jobs take turns, and doing a step twice has the same result.
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
from batch_gateway.settlement.outputs import record_lost, settle_live
from batch_gateway.settlement.sweep_jobs import JobSweeper
from batch_gateway.settlement.sweep_places import ListedJobs, scan_places
from batch_gateway.settlement.sweep_progress import WORKERS, Progress, SweepReport
from batch_gateway.tracking import Tracker

SECONDS = 30.0
"""Time limit of one sweep, with up to 25 s more for the last event that it sends. Together they are within
the default time limit of an HTTP function."""
_BUDGETS_UNTIL, _PLACES_UNTIL, _WATCHED_UNTIL, _ENDED_UNTIL, _JOBS_UNTIL, _PARKED_UNTIL, _EVENTS_UNTIL = (
    0.15,
    0.3,
    0.4,
    0.55,
    0.7,
    0.85,
    1.0,
)
"""End of each step, as a share of that time."""
_MOST_WATCHED = 500
"""Closed jobs that are checked in one sweep, those that have waited longest first."""
_MOST_OPEN = 2_000
"""Open jobs that are checked in one sweep; bounds the number of documents that a sweep reads."""
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
    refused: Iterable[str] = (),
) -> SweepReport:
    """Run one sweep.

    Args:
        places: (project id, location) of every place that is served.
        tracker: Remembers jobs, so that unchanged ones cost no database calls.
        deps: The ports.
        now: The current time.
        seconds: Time limit.
        weigh: Estimates a job that has no estimate, and saves that.
        refused: Projects whose locations Vertex AI does not list, so that they are not among the places.

    Raises:
        StoreUnavailableError: Firestore cannot be reached; the next sweep continues.
    """
    sweep = _SweepRun(tracker, deps, now, seconds)
    for project in refused:
        sweep.progress.report_problem(project, "Vertex AI refuses to list its locations (locations.list)")
    sweep.check_budgets()
    sweep.scan_jobs(list(places))
    sweep.watch_closed_jobs()
    sweep.finish_jobs()
    sweep.settle_parked()
    sweep.send_events()
    sweep.weigh_jobs(weigh)
    done = sweep.progress.done
    log("INFO", "sweep done", event="sweep.done", **msgspec.structs.asdict(done))
    return done


class _SweepRun:
    def __init__(self, tracker: Tracker, deps: SettlementDeps, now: datetime, seconds: float) -> None:
        self.progress = Progress(deps, seconds)
        self._tracker = tracker
        self._deps = deps
        self._now = now
        self._exceeded: AbstractSet[str] = set()
        self._open: list[JobRecord] = []
        self._sweeper = JobSweeper(ListedJobs(set(), {}), set(), deps, self.progress, now)
        self._unestimated: dict[JobKey, JobRecord] = {}

    def check_budgets(self) -> None:
        """Find the exceeded budgets, and announce them."""
        self.progress.begin_step(_BUDGETS_UNTIL)
        self._exceeded = check_budgets(self._deps, self.progress, self._now)

    def scan_jobs(self, places: list[tuple[str, str]]) -> None:
        """Update the state of recent and open jobs, and drop submissions that created no job."""
        found = self._deps.store.open_jobs(_MOST_OPEN)
        if len(found) == _MOST_OPEN:
            self.progress.mark_incomplete()
        self._open = list(self.progress.skip_unreadable(found))
        self.progress.begin_step(_PLACES_UNTIL)
        shown = scan_places(
            places, self._open, tracker=self._tracker, deps=self._deps, progress=self.progress, now=self._now
        )
        self._sweeper = JobSweeper(shown, self._exceeded, self._deps, self.progress, self._now)

    def watch_closed_jobs(self) -> None:
        """Settle output that was written or overwritten after its job was closed."""
        self.progress.begin_step(_WATCHED_UNTIL)
        jobs = list(self.progress.skip_unreadable(self._deps.store.watched_jobs(self._now, _MOST_WATCHED)))
        with ThreadPoolExecutor(WORKERS, "watched") as pool:
            for start in range(0, len(jobs), WORKERS):
                if self.progress.is_late():
                    return
                list(pool.map(self._sweeper.sweep_closed, jobs[start : start + WORKERS]))

    def finish_jobs(self) -> None:
        """Settle the missing output of open jobs, ended ones first, and close those that are complete."""
        self.progress.begin_step(_ENDED_UNTIL)
        ended = self._deps.store.ended_jobs(_MOST_ENDED)
        jobs = [job for job in ended if isinstance(job, JobRecord)]
        if len(ended) == _MOST_ENDED:
            self.progress.mark_incomplete()
        checked: set[JobKey] = set()
        with ThreadPoolExecutor(WORKERS, "jobs") as pool:
            for batch in _batches(jobs, self._sweeper.needs_calls):
                if self.progress.is_late():
                    break
                # The turn is passed before the jobs are checked: one that ends the instance each time is
                # checked again only after all others.
                self._deps.store.pass_turn("ended", batch[-1].key)
                list(pool.map(self._sweep_open, batch))
                checked |= {job.key for job in batch}
            self.progress.begin_step(_JOBS_UNTIL)
            rest = [self._sweeper.listed_record(job) for job in self._open if job.key not in checked]
            for batch in _batches(rest, self._sweeper.needs_calls):
                if self.progress.is_late():
                    return
                self._deps.store.pass_turn("jobs", batch[-1].key)
                list(pool.map(self._sweep_open, batch))

    def _sweep_open(self, job: JobRecord) -> None:
        if job.estimate is None:
            self._unestimated[job.key] = job
        self._sweeper.sweep_open(job)

    def settle_parked(self) -> None:
        """Retry finding the job of each parked output."""
        self.progress.begin_step(_PARKED_UNTIL)
        found = self._deps.store.parked(_MOST_PARKED)
        if len(found) == _MOST_PARKED:
            self.progress.mark_incomplete()
        for output in self.progress.skip_unreadable(found):
            if self.progress.is_late():
                return
            self._deps.store.pass_turn("parked", output)
            with self.progress.isolate(output.uri):
                self._settle_parked(output)

    def weigh_jobs(self, weigh: Callable[[JobRecord], None]) -> None:
        """Estimate jobs that have no estimate, for as long as there is time."""
        for job in self._unestimated.values():
            if self.progress.is_over():
                return
            with self.progress.isolate(job.key.path):
                weigh(job)

    def send_events(self) -> None:
        """Send the events of this sweep, and those that could not be delivered before."""
        self.progress.begin_step(_EVENTS_UNTIL)
        sent = deliver_due(self._deps.notify(), self._now, self.progress.until, self.progress.events)
        self.progress.count(delivered=sent.delivered)
        for problem in sent.problems:
            self.progress.mark_incomplete(problem)

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
            record_lost(job, output.uri, self._deps, now=self._now)
        self._deps.store.unpark(output)


def _batches(
    jobs: Sequence[JobRecord], needs_calls: Callable[[JobRecord], bool]
) -> Iterator[list[JobRecord]]:
    """Divide jobs, in order, into batches of WORKERS jobs each, not counting those that need no calls."""
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
