"""List the jobs of the served places, to find those that have changed or were created outside the gateway.

A list is read from the newest job back, as far as jobs may have changed: to a little before the last scan of
the place, or to the oldest open job that this sweep checks. The part that a scan does not reach is kept as
the place's gap. The next sweeps list it, each continuing where the last one stopped.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NamedTuple

from batch_gateway.core.jobs.record import JobKey, JobRecord
from batch_gateway.ports import PlaceNotes, Submission
from batch_gateway.settlement.adoption import GRACE, LOOK_BACK, MAX_CREATE_LAG, Span, scan_jobs
from batch_gateway.settlement.deps import SettlementDeps
from batch_gateway.settlement.sweep_progress import WORKERS, Progress
from batch_gateway.tracking import Tracker

Place = tuple[str, str]
_LISTED_WITHIN = timedelta(hours=1)
"""Age at which a submission whose job is in no list has created none. Jobs are listed within seconds."""
_MARGIN = GRACE + timedelta(minutes=2)
"""Overlap of scans: a job that was too young to be adopted in one scan is old enough in the next."""
_MOST_SUBMISSIONS = 5_000
"""Submissions that are read in one sweep: an hour's, while Vertex AI fails. A job whose submission is not
among them is adopted without its key."""


class ListedJobs(NamedTuple):
    """The jobs that the lists have shown.

    Attributes:
        jobs: All jobs on the pages.
        changed: Records of those that had changed.
    """

    jobs: set[JobKey]
    changed: dict[JobKey, JobRecord]


def scan_places(
    places: Sequence[Place],
    open_jobs: Sequence[JobRecord],
    *,
    tracker: Tracker,
    deps: SettlementDeps,
    progress: Progress,
    now: datetime,
) -> ListedJobs:
    """Update jobs from lists, several places at once, and drop submissions that created no job.

    Args:
        places: (project id, location) of every place that is served.
        open_jobs: Open jobs that this sweep checks.
        tracker: Remembers jobs, so that unchanged ones cost no database calls.
        deps: The ports.
        progress: Progress of the sweep.
        now: The current time.
    """
    found = deps.store.open_submissions(_MOST_SUBMISSIONS)
    if len(found) == _MOST_SUBMISSIONS:
        progress.mark_incomplete()
    submissions = list(progress.skip_unreadable(found))
    order = _rotate(places, progress.notes.first_place)
    if order:
        # Saved before anything is listed: a place that ends the instance comes first only once a round.
        progress.update_notes(first_place=_name(order[0]))
    scans = [
        _PlaceScan(
            place,
            progress.notes.places.get(_name(place), PlaceNotes()),
            [job for job in open_jobs if (job.key.project, job.key.location) == place],
            [each for each in submissions if (each.project, each.location) == place],
            tracker=tracker,
            deps=deps,
            progress=progress,
            now=now,
        )
        for place in order
    ]
    with ThreadPoolExecutor(WORKERS, "places") as pool:
        list(pool.map(_PlaceScan.run, scans))
    # Submissions to places that are no longer served are in no scan.
    _drop_submissions((each for each in submissions if now - each.created > LOOK_BACK), deps, progress)
    progress.update_notes(places={_name(scan.place): scan.notes for scan in scans})
    return ListedJobs(
        {key for scan in scans for key in scan.jobs},
        {key: record for scan in scans for key, record in scan.changed.items()},
    )


def _name(place: Place) -> str:
    return "/".join(place)


def _rotate(places: Sequence[Place], last: str) -> list[Place]:
    """Return the places in order, beginning after the one that was first in the last sweep."""
    ordered = sorted(places)
    first = next((index for index, place in enumerate(ordered) if _name(place) > last), 0)
    return ordered[first:] + ordered[:first]


def _drop_submissions(submissions: Iterator[Submission], deps: SettlementDeps, progress: Progress) -> None:
    for submission in submissions:
        with progress.isolate(f"submissions/{submission.id}"):
            progress.count(dropped_submissions=deps.store.drop_submission(submission))


class _PlaceScan:
    """One scan of a place.

    Attributes:
        place: Project id and location.
        notes: State for the next scan.
        jobs: Jobs that were on the pages.
        changed: Records of those that had changed.
    """

    def __init__(
        self,
        place: Place,
        notes: PlaceNotes,
        open_jobs: Sequence[JobRecord],
        submissions: Sequence[Submission],
        *,
        tracker: Tracker,
        deps: SettlementDeps,
        progress: Progress,
        now: datetime,
    ) -> None:
        self.place = place
        self.notes = notes
        self.jobs: set[JobKey] = set()
        self.changed: dict[JobKey, JobRecord] = {}
        self._open: Mapping[JobKey, JobRecord] = {job.key: job for job in open_jobs}
        self._submissions = list(submissions)
        self._tracker, self._deps, self._progress, self._now = tracker, deps, progress, now
        self._oldest = now - LOOK_BACK
        self._failed = False

    def run(self) -> None:
        """List jobs that may have changed, the gap of earlier scans, and open jobs, while there is time."""
        with self._progress.isolate(_name(self.place)):
            since = self._changed_since()
            reached = self._list(Span(since, None))
            if reached is None:
                return
            gap = self.notes.gap
            if reached > since:
                # Cut short: older jobs join the gap.
                gap = (min(since, gap[0]) if gap else since, reached)
            elif gap:
                bottom = self._list(Span(*gap)) if gap[0] < reached else gap[0]
                gap = gap if bottom is None else (gap[0], bottom) if bottom > gap[0] else None
            if not self._failed:
                self.notes = PlaceNotes(self._now, gap)
            self._list_open_jobs()

    def _list_open_jobs(self) -> None:
        """List the span of open jobs that were on no page so far."""
        times = [job.create_time for key, job in self._open.items() if key not in self.jobs]
        if times and max(times) > self._oldest:
            since = max(self._oldest, min(times) - timedelta(seconds=1))
            self._list(Span(since, max(times)))

    def _changed_since(self) -> datetime:
        """Return the time since which jobs may have been created or changed unseen."""
        if self.notes.looked is None:
            return self._oldest
        waiting = [each.created - MAX_CREATE_LAG for each in self._submissions]
        return max(self._oldest, min([self.notes.looked - _MARGIN, *waiting]))

    def _list(self, span: Span) -> datetime | None:
        """Read the list of a span.

        Returns:
            Creation time down to which it was read; None if that is not known.
        """
        if self._progress.is_late():
            return None
        reached: datetime | None = None
        pages = scan_jobs(
            self.place,
            span,
            self._may_have_changed,
            self._submissions,
            tracker=self._tracker,
            deps=self._deps,
            now=self._now,
            isolate=self._isolate,
        )
        for page in pages:
            self.jobs |= page.jobs
            self.changed |= page.changed
            self._submissions = page.submissions
            reached = page.reached
            self._progress.count(adopted=page.adopted)
            if not page.is_last and self._progress.is_late():
                break
        if reached is not None and span.until is None:
            self._drop_unmatched(reached)
        return reached

    def _drop_unmatched(self, reached: datetime) -> None:
        """Drop submissions whose job would have been on the pages."""
        listed = [
            each
            for each in self._submissions
            if self._now - each.created > _LISTED_WITHIN and each.created - MAX_CREATE_LAG >= reached
        ]
        _drop_submissions(iter(listed), self._deps, self._progress)

    def _may_have_changed(self, key: JobKey, times: tuple[datetime | None, ...]) -> JobRecord | bool:
        """Return a job's record if it is at hand, else whether the job may have changed."""
        if key in self._open:
            return self._open[key]
        since, gap = self._changed_since(), self.notes.gap
        # Nothing is known about a job without times.
        known = [time for time in times if time is not None]
        in_gap = gap is not None and any(gap[0] <= time <= gap[1] for time in known)
        return not known or in_gap or any(time >= since for time in known)

    @contextmanager
    def _isolate(self, what: str) -> Iterator[None]:
        """Keep a failure of one job from stopping the others; the scan then counts as incomplete."""
        with self._progress.isolate(what):
            try:
                yield
            except Exception:
                self._failed = True
                raise
