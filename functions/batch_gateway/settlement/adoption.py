"""Looks through the jobs of a served place, and takes those on record that were made outside the gateway."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec

from batch_gateway import log_events
from batch_gateway.core.excerpts import text
from batch_gateway.core.jobs.labels import KEY_LABEL, MARKER_LABEL, TEAM_LABEL
from batch_gateway.core.jobs.record import (
    JobKey,
    JobRecord,
    Observation,
    merge_observations,
    observe,
    parse_name,
    parse_time,
)
from batch_gateway.core.jobs.sent import sent_of
from batch_gateway.logs import log
from batch_gateway.ports import AnswerTooLargeError, Submission
from batch_gateway.settlement.deps import SettlementDeps
from batch_gateway.tracking import Tracker

LOOK_BACK = timedelta(days=7)
"""Age of the oldest job that is adopted. A job lives for four days at most: 72 h in the queue, 24 h of
running ("Batch inference" of Google's documentation)."""
GRACE = timedelta(minutes=10)
"""How long a job that was just created may wait for its record before it counts as made outside."""
SENT_WITHIN = timedelta(minutes=2)
"""How far apart a create's time is and that of its job, at most."""
_SKEW = timedelta(minutes=1)
"""By how much a list may be out of order, or its clock ahead of ours."""
_PAGE = 100
_SHOWN = 200


MayBeNews = Callable[[JobKey, tuple[datetime | None, ...]], JobRecord | bool]
"""(job, times of its create and last update) -> its record, if that is at hand, or whether to look it up."""
GoingOn = Callable[[str], AbstractContextManager[None]]
"""(name of a job) -> what keeps that which goes wrong with it from the others."""


class PlaceUnavailableError(Exception):
    """The jobs of a place cannot be listed."""


class NoJobError(Exception):
    """Something in a list of jobs is none that can be followed."""


class Span(NamedTuple):
    """The part of a list between two times of creation.

    Attributes:
        since: Where it ends: lists begin with the newest job.
        until: Where it begins; None for now.
    """

    since: datetime
    until: datetime | None

    @property
    def filter(self) -> str:
        """The ``filter`` of the API's list."""
        since = f'create_time>="{self.since:%Y-%m-%dT%H:%M:%SZ}"'
        if self.until is None:
            return since
        # Filters know whole seconds: what is on a border is listed twice rather than never.
        until = self.until + timedelta(seconds=1)
        return f'{since} AND create_time<="{until:%Y-%m-%dT%H:%M:%SZ}"'


class Page(NamedTuple):
    """A page of a place's jobs.

    Attributes:
        jobs: All of them.
        fresh: Records of those that had changed.
        adopted: How many of them were taken on record.
        submissions: Those of the place whose job was not found so far.
        reached: How far back the list has been followed; None if its order does not tell.
        is_last: Whether the list ends here.
    """

    jobs: set[JobKey]
    fresh: dict[JobKey, JobRecord]
    adopted: int
    submissions: list[Submission]
    reached: datetime | None
    is_last: bool


def look_through(
    place: tuple[str, str],
    span: Span,
    may_be_news: MayBeNews,
    submissions: list[Submission],
    *,
    tracker: Tracker,
    deps: SettlementDeps,
    now: datetime,
    going_on: GoingOn,
) -> Iterator[Page]:
    """Note the state of jobs of a place, page by page, and adopt those that are not on record.

    A job of a create whose answer was lost goes to the key that sent it. Any other goes to the team that
    its labels name, if they name one.

    Args:
        place: Project id and location.
        span: The part of the list that is looked through.
        may_be_news: Tells which jobs the books may not know as they are listed.
        submissions: Creates of the place whose job is not on record.
        tracker: Remembers jobs, so that unchanged ones cost nothing.
        deps: The outside.
        now: The time.
        going_on: Keeps what goes wrong with one job from the others.

    Raises:
        PlaceUnavailableError: Vertex AI has no such place, or does not let us list its jobs.
    """
    project, location = place
    path = f"projects/{project}/locations/{location}/batchPredictionJobs"
    token = ""
    left = list(submissions)
    reached: datetime | None = now
    size = _PAGE
    while True:
        given = {"filter": span.filter, "pageSize": size, **({"pageToken": token} if token else {})}
        try:
            page = deps.upstream.get(path, project=project, location=location, query=urlencode(given))
        except AnswerTooLargeError:
            if size == 1:
                raise
            size = max(1, size // 5)
            continue
        if page is None:
            raise PlaceUnavailableError(f"the jobs of {project}/{location} cannot be listed")
        jobs = _jobs_of(page, place, going_on)
        names = {_key_of(job, project): job for job in jobs}
        looked = tracker.see(project, [job for key, job in names.items() if _is_news(key, job, may_be_news)])
        for key, error in looked.refused.items():
            with going_on(key.path):
                raise error
        adopted = 0
        for key, seen in looked.unknown.items():
            if seen.create_time and now - seen.create_time >= GRACE:
                submission = submission_of(seen, key, left)
                # If it cannot be adopted, its submission is not let go of either.
                left = [each for each in left if each is not submission]
                with going_on(key.path):
                    _adopt(JobRecord(key, seen, seen.create_time), submission, deps)
                    adopted += 1
        token = str(page.get("nextPageToken") or "")
        reached = _followed(reached, jobs)
        end = reached if token else span.since
        yield Page(set(names), looked.changed, adopted, left, end, is_last=not token)
        if not token:
            return


def _key_of(job: dict[str, Any], project: str) -> JobKey:
    _, location, job_id = parse_name(job["name"]) or ("", "", "")
    return JobKey(project, location, job_id)


def _is_news(key: JobKey, job: dict[str, Any], may_be_news: MayBeNews) -> bool:
    known = may_be_news(key, (parse_time(job.get("createTime")), parse_time(job.get("updateTime"))))
    if not isinstance(known, JobRecord):
        return known
    seen = observe(job)
    return seen is not None and merge_observations(known.seen, seen) != known.seen


def _followed(reached: datetime | None, jobs: list[dict[str, Any]]) -> datetime | None:
    """Return how far back a list has been followed after a page; None once it is not in order."""
    for job in jobs:
        created = parse_time(job.get("createTime"))
        if reached is None or created is None:
            return None
        if created > reached + _SKEW:
            return None
        reached = min(reached, created)
    return reached


def _jobs_of(page: dict[str, object], place: tuple[str, str], going_on: GoingOn) -> list[dict[str, Any]]:
    """Return the jobs on a page of a list; what is none is a problem of its own."""
    found = page.get("batchPredictionJobs", [])
    jobs: list[dict[str, Any]] = []
    for job in found if isinstance(found, list) else [found]:
        if isinstance(job, dict) and parse_name(str(job.get("name"))):
            jobs.append(job)
        else:
            with going_on("/".join(place)):
                raise NoJobError(f"Vertex AI lists what is no job: {text(repr(job), _SHOWN)}")
    return jobs


def _adopt(job: JobRecord, submission: Submission | None, deps: SettlementDeps) -> None:
    record = (
        submission.record(job)
        if submission
        else msgspec.structs.replace(
            job, team=job.seen.labels.get(TEAM_LABEL), key_id=job.seen.labels.get(KEY_LABEL)
        )
    )
    deps.store.remember_project((parse_name(job.seen.name) or ("",))[0], job.key.project)
    deps.store.add_job(record, submission)
    log("NOTICE", "job adopted", event="job.adopted", **log_events.of_job(record))


def submission_of(seen: Observation, key: JobKey, submissions: list[Submission]) -> Submission | None:
    """Return the create that a job came of and whose answer was lost; None if it is not clear which.

    Of several that are the same key's it does not matter which it was: the nearest in time is taken.
    """
    found = [each for each in submissions if _is_of(seen, key, each)]
    if len({(each.key_id, each.team) for each in found}) != 1 or seen.create_time is None:
        return None
    created = seen.create_time
    return min(found, key=lambda each: abs(created - each.created))


def _is_of(seen: Observation, key: JobKey, submission: Submission) -> bool:
    """Return whether a job came of a create whose answer was lost.

    A marker is one create's alone. Without one a job has to be like what was sent in everything: the labels
    that say whose it is, output, model, name and time.
    """
    if (submission.project, submission.location) != (key.project, key.location):
        return False
    marker = seen.labels.get(MARKER_LABEL, "")
    if submission.marker or marker:
        return marker == submission.marker
    return (
        seen.create_time is not None
        and abs(seen.create_time - submission.created) < SENT_WITHIN
        and submission.sent == sent_of(seen)
    )
