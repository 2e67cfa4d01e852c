"""List the jobs of a place, and adopt those that were created outside the gateway."""

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
"""Age of the oldest job that is adopted. A job lives for four days at most: 72 h in the queue and 24 h
running ("Batch inference" in Google's documentation)."""
GRACE = timedelta(minutes=10)
"""Age below which a job without a record is not adopted: its create may still write the record."""
MAX_CREATE_LAG = timedelta(minutes=2)
"""Longest time between a submission and the creation of its job."""
_SKEW = timedelta(minutes=1)
"""Tolerance for lists that are out of order, and for Vertex AI's clock being ahead of ours."""
_PAGE = 100
_SHOWN = 200


MayHaveChanged = Callable[[JobKey, tuple[datetime | None, ...]], JobRecord | bool]
"""(job, times of creation and last update) -> its record if that is at hand, else whether to look it up."""
Isolate = Callable[[str], AbstractContextManager[None]]
"""(name of a job) -> a context manager that keeps a failure of that job from stopping the others."""


class PlaceUnavailableError(Exception):
    """The jobs of a place cannot be listed."""


class NotAJobError(Exception):
    """An entry in a list of jobs is not a job, or has no valid name."""


class Span(NamedTuple):
    """The part of a list between two times of creation.

    Attributes:
        since: Time of its end: lists begin with the newest job.
        until: Time of its beginning; None for the present.
    """

    since: datetime
    until: datetime | None

    @property
    def filter(self) -> str:
        """Return the ``filter`` parameter of the API's list method."""
        since = f'create_time>="{self.since:%Y-%m-%dT%H:%M:%SZ}"'
        if self.until is None:
            return since
        # Filters take whole seconds: a job on the border is listed twice rather than never.
        until = self.until + timedelta(seconds=1)
        return f'{since} AND create_time<="{until:%Y-%m-%dT%H:%M:%SZ}"'


class Page(NamedTuple):
    """A page of a place's jobs.

    Attributes:
        jobs: Keys of all jobs on the page.
        changed: Records of those that had changed.
        adopted: Number of jobs that were adopted.
        submissions: Submissions of the place whose job has not been found so far.
        reached: Creation time down to which the list has been read; None if the list is not in order.
        is_last: Whether the list ends here.
    """

    jobs: set[JobKey]
    changed: dict[JobKey, JobRecord]
    adopted: int
    submissions: list[Submission]
    reached: datetime | None
    is_last: bool


def scan_jobs(
    place: tuple[str, str],
    span: Span,
    may_have_changed: MayHaveChanged,
    submissions: list[Submission],
    *,
    tracker: Tracker,
    deps: SettlementDeps,
    now: datetime,
    isolate: Isolate,
) -> Iterator[Page]:
    """Record the state of a place's jobs, page by page, and adopt those that are not on record.

    A job whose create got no answer is assigned to the key that sent it. Any other is assigned to the team
    that its labels name, if they name one.

    Args:
        place: Project id and location.
        span: The part of the list to read.
        may_have_changed: Tells which jobs may differ from their record.
        submissions: Submissions of the place whose job is not on record.
        tracker: Remembers jobs, so that unchanged ones cost no database calls.
        deps: The ports.
        now: The current time.
        isolate: Keeps a failure of one job from stopping the others.

    Raises:
        PlaceUnavailableError: Vertex AI has no such place, or denies us its list of jobs.
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
            raise PlaceUnavailableError(f"cannot list the jobs of {project}/{location}")
        jobs = _read_jobs(page, place, isolate)
        names = {_key_of(job, project): job for job in jobs}
        tracked = tracker.observe(
            project, [job for key, job in names.items() if _has_changed(key, job, may_have_changed)]
        )
        for key, error in tracked.refused.items():
            with isolate(key.path):
                raise error
        adopted = 0
        for key, seen in tracked.unknown.items():
            if seen.create_time and now - seen.create_time >= GRACE:
                submission = find_submission(seen, key, left)
                # If it cannot be adopted, its submission must stay, too.
                left = [each for each in left if each is not submission]
                with isolate(key.path):
                    _adopt(JobRecord(key, seen, seen.create_time), submission, deps)
                    adopted += 1
        token = str(page.get("nextPageToken") or "")
        reached = _follow(reached, jobs)
        end = reached if token else span.since
        yield Page(set(names), tracked.changed, adopted, left, end, is_last=not token)
        if not token:
            return


def _key_of(job: dict[str, Any], project: str) -> JobKey:
    _, location, job_id = parse_name(job["name"]) or ("", "", "")
    return JobKey(project, location, job_id)


def _has_changed(key: JobKey, job: dict[str, Any], may_have_changed: MayHaveChanged) -> bool:
    known = may_have_changed(key, (parse_time(job.get("createTime")), parse_time(job.get("updateTime"))))
    if not isinstance(known, JobRecord):
        return known
    seen = observe(job)
    return seen is not None and merge_observations(known.seen, seen) != known.seen


def _follow(reached: datetime | None, jobs: list[dict[str, Any]]) -> datetime | None:
    """Return how far back a list has been read after a page; None once it is out of order."""
    for job in jobs:
        created = parse_time(job.get("createTime"))
        if reached is None or created is None:
            return None
        if created > reached + _SKEW:
            return None
        reached = min(reached, created)
    return reached


def _read_jobs(page: dict[str, object], place: tuple[str, str], isolate: Isolate) -> list[dict[str, Any]]:
    """Return the jobs on a page of a list, and report each entry that is not a job."""
    found = page.get("batchPredictionJobs", [])
    jobs: list[dict[str, Any]] = []
    for job in found if isinstance(found, list) else [found]:
        if isinstance(job, dict) and parse_name(str(job.get("name"))):
            jobs.append(job)
        else:
            with isolate("/".join(place)):
                raise NotAJobError(f"an entry in Vertex AI's list is not a job: {text(repr(job), _SHOWN)}")
    return jobs


def _adopt(job: JobRecord, submission: Submission | None, deps: SettlementDeps) -> None:
    record = (
        submission.record(job)
        if submission
        else msgspec.structs.replace(
            job, team=job.seen.labels.get(TEAM_LABEL), key_id=job.seen.labels.get(KEY_LABEL)
        )
    )
    if submission and submission.marker:
        # A create that is repeated with this Idempotency-Key has to find the job. Its answer was lost.
        submission = msgspec.structs.replace(submission, answer=b"", job=job.key.path)
    deps.store.remember_project((parse_name(job.seen.name) or ("",))[0], job.key.project)
    deps.store.add_job(record, submission)
    log("NOTICE", "job adopted", event="job.adopted", **log_events.job_fields(record))


def find_submission(seen: Observation, key: JobKey, submissions: list[Submission]) -> Submission | None:
    """Find the submission that created a job and got no answer; None if it is not clear which one did.

    Among several submissions of the same key it does not matter: the nearest in time is returned.
    """
    found = [each for each in submissions if _matches(seen, key, each)]
    if len({(each.key_id, each.team) for each in found}) != 1 or seen.create_time is None:
        return None
    created = seen.create_time
    return min(found, key=lambda each: abs(created - each.created))


def _matches(seen: Observation, key: JobKey, submission: Submission) -> bool:
    """Return whether a submission created a job.

    A marker belongs to one create only. Without a marker, everything that was sent has to match: the labels
    of key and team, output, model, display name and time.
    """
    if (submission.project, submission.location) != (key.project, key.location):
        return False
    marker = seen.labels.get(MARKER_LABEL, "")
    if submission.marker or marker:
        return marker == submission.marker
    return (
        seen.create_time is not None
        and abs(seen.create_time - submission.created) < MAX_CREATE_LAG
        and submission.sent == sent_of(seen)
    )
