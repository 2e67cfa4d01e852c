"""Looks through the lists of jobs of the served places for what has changed, or was made outside.

A list is followed from the newest job back, as far as something may be news: to a little before the last look
at the place, or to the oldest of the open jobs that this sweep looks at. What a look does not get to is kept
as the place's gap, and listed by the next sweeps, each going on where the last one stopped.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NamedTuple

from batch_gateway.core.jobs.record import JobKey, JobRecord
from batch_gateway.ports import PlaceNotes, Submission
from batch_gateway.settlement.adoption import GRACE, LOOK_BACK, SENT_WITHIN, Span, look_through
from batch_gateway.settlement.deps import SettlementDeps
from batch_gateway.settlement.sweep_progress import WORKERS, Progress
from batch_gateway.tracking import Tracker

Place = tuple[str, str]
_FOUND_BY = timedelta(hours=1)
"""When a create whose job is not there has made none. Jobs show in lists within seconds."""
_MARGIN = GRACE + timedelta(minutes=2)
"""By how much looks overlap: a job that was too young to be adopted at one look is so no more at the next."""
_MOST_SUBMISSIONS = 500


class Shown(NamedTuple):
    """What the lists have shown.

    Attributes:
        jobs: All jobs on the pages.
        fresh: Records of those that had changed.
    """

    jobs: set[JobKey]
    fresh: dict[JobKey, JobRecord]


def look_through_places(
    places: Sequence[Place],
    open_jobs: Sequence[JobRecord],
    *,
    tracker: Tracker,
    deps: SettlementDeps,
    progress: Progress,
    now: datetime,
) -> Shown:
    """Bring jobs up to date from lists, several places at once, and let go of creates that made none.

    Args:
        places: (project id, location) of every place that is served.
        open_jobs: Jobs that this sweep looks at.
        tracker: Remembers jobs, so that unchanged ones cost nothing.
        deps: The outside.
        progress: Of the sweep.
        now: The time.
    """
    submissions = list(progress.readable(deps.store.open_submissions(_MOST_SUBMISSIONS)))
    order = _in_turn(places, progress.notes.first_place)
    if order:
        # Noted before anything is listed: a place that nobody gets through with is first only once a round.
        progress.note(first_place=_name(order[0]))
    looks = [
        _PlaceLook(
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
        list(pool.map(_PlaceLook.run, looks))
    # Of places that are not served any more.
    _drop((each for each in submissions if now - each.created > LOOK_BACK), deps, progress)
    progress.note(places={_name(look.place): look.notes for look in looks})
    return Shown(
        {key for look in looks for key in look.jobs},
        {key: record for look in looks for key, record in look.fresh.items()},
    )


def _name(place: Place) -> str:
    return "/".join(place)


def _in_turn(places: Sequence[Place], last: str) -> list[Place]:
    """Return the places in order, beginning with the one after that which was first the last time."""
    ordered = sorted(places)
    first = next((index for index, place in enumerate(ordered) if _name(place) > last), 0)
    return ordered[first:] + ordered[:first]


def _drop(submissions: Iterator[Submission], deps: SettlementDeps, progress: Progress) -> None:
    for submission in submissions:
        with progress.going_on(f"submissions/{submission.id}"):
            deps.store.drop_submission(submission)
            progress.count(dropped_submissions=1)


class _PlaceLook:
    """One look at a place.

    Attributes:
        place: Project id and location.
        notes: What the next look has to know.
        jobs: Jobs that were on the pages.
        fresh: Records of those that had changed.
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
        self.fresh: dict[JobKey, JobRecord] = {}
        self._open: Mapping[JobKey, JobRecord] = {job.key: job for job in open_jobs}
        self._submissions = list(submissions)
        self._tracker, self._deps, self._progress, self._now = tracker, deps, progress, now
        self._oldest = now - LOOK_BACK
        self._flawed = False

    def run(self) -> None:
        """List what may be news, what earlier looks did not get to, and open jobs, while there is time."""
        with self._progress.going_on(_name(self.place)):
            news = self._news()
            reached = self._list(Span(news, None))
            if reached is None:
                return
            gap = self.notes.gap
            if reached > news:
                # Cut short: what is older than that waits, together with what waited before.
                gap = (min(news, gap[0]) if gap else news, reached)
            elif gap:
                bottom = self._list(Span(*gap)) if gap[0] < reached else gap[0]
                gap = gap if bottom is None else (gap[0], bottom) if bottom > gap[0] else None
            if not self._flawed:
                self.notes = PlaceNotes(self._now, gap)
            self._list_open()

    def _list_open(self) -> None:
        """List the open jobs that were on no page so far, of which the list may hold many more."""
        times = [job.create_time for key, job in self._open.items() if key not in self.jobs]
        if times and max(times) > self._oldest:
            since = max(self._oldest, min(times) - timedelta(seconds=1))
            self._list(Span(since, max(times)))

    def _news(self) -> datetime:
        """Return the time from which on jobs may have been created or changed unseen."""
        if self.notes.looked is None:
            return self._oldest
        waiting = [each.created - SENT_WITHIN for each in self._submissions]
        return max(self._oldest, min([self.notes.looked - _MARGIN, *waiting]))

    def _list(self, span: Span) -> datetime | None:
        """Follow the list of a span.

        Returns:
            How far back it was followed; None if that cannot be told.
        """
        if self._progress.is_late():
            return None
        reached: datetime | None = None
        pages = look_through(
            self.place,
            span,
            self._may_be_news,
            self._submissions,
            tracker=self._tracker,
            deps=self._deps,
            now=self._now,
            going_on=self._going_on,
        )
        for page in pages:
            self.jobs |= page.jobs
            self.fresh |= page.fresh
            self._submissions = page.submissions
            reached = page.reached
            self._progress.count(adopted=page.adopted)
            if not page.is_last and self._progress.is_late():
                break
        if reached is not None and span.until is None:
            self._drop_older(reached)
        return reached

    def _drop_older(self, reached: datetime) -> None:
        """Let go of creates whose job would have been on the pages, however much longer the list is."""
        listed = [
            each
            for each in self._submissions
            if self._now - each.created > _FOUND_BY and each.created - SENT_WITHIN >= reached
        ]
        _drop(iter(listed), self._deps, self._progress)

    def _may_be_news(self, key: JobKey, times: tuple[datetime | None, ...]) -> JobRecord | bool:
        """Tell whether the books may not know a job as it is listed; its record, if it is at hand."""
        if key in self._open:
            return self._open[key]
        news, gap = self._news(), self.notes.gap
        # A job without its times is one that nothing is known of.
        known = [time for time in times if time is not None]
        in_gap = gap is not None and any(gap[0] <= time <= gap[1] for time in known)
        return not known or in_gap or any(time >= news for time in known)

    @contextmanager
    def _going_on(self, what: str) -> Iterator[None]:
        """Keep what goes wrong with one job from the others; the place is not looked through then."""
        with self._progress.going_on(what):
            try:
                yield
            except Exception:
                self._flawed = True
                raise
