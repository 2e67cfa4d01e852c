"""Looks through the jobs of a served place, and takes those on record that were made outside the gateway."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlencode

import msgspec

from batch_gateway import events
from batch_gateway.core.access import KEY_LABEL, MARKER_LABEL, TEAM_LABEL
from batch_gateway.core.jobs import JobKey, JobRecord, Observation, parse_name
from batch_gateway.logs import log
from batch_gateway.ports import AnswerTooLargeError, Submission
from batch_gateway.settlement.deps import Deps
from batch_gateway.tracking import Tracker

LOOK_BACK = timedelta(days=7)
"""Age of the oldest job that is adopted. A job lives for four days at most: 72 h in the queue, 24 h of
running ("Batch inference" of Google's documentation)."""
_GRACE = timedelta(minutes=10)
"""How long a job that was just created may wait for its record before it counts as made outside."""
_PAGE = 100


class PlaceUnavailableError(Exception):
    """The jobs of a place cannot be listed."""


class Page(NamedTuple):
    """A page of a place's jobs.

    Attributes:
        jobs: All of them.
        adopted: How many of them were taken on record.
        submissions: Those of the place whose job was not found so far.
    """

    jobs: set[JobKey]
    adopted: int
    submissions: list[Submission]


def look_through(
    place: tuple[str, str], submissions: list[Submission], tracker: Tracker, deps: Deps, now: datetime
) -> Iterator[Page]:
    """Notes the state of every recent job of a place, page by page, and adopts those that are not on record.

    A job of a create whose answer was lost goes to the key that sent it. Any other goes to the team that
    its labels name, if they name one.

    Raises:
        PlaceUnavailableError: Vertex AI has no such place, or does not let us list its jobs.
    """
    project, location = place
    path = f"projects/{project}/locations/{location}/batchPredictionJobs"
    since = f'create_time>="{now - LOOK_BACK:%Y-%m-%dT%H:%M:%SZ}"'
    token = ""
    left = list(submissions)
    size = _PAGE
    while True:
        query = urlencode({"filter": since, "pageSize": size, **({"pageToken": token} if token else {})})
        try:
            page = deps.upstream.get(path, project=project, location=location, query=query)
        except AnswerTooLargeError:
            if size == 1:
                raise
            size = max(1, size // 5)
            continue
        if page is None:
            raise PlaceUnavailableError(f"the jobs of {project}/{location} cannot be listed")
        found = page.get("batchPredictionJobs")
        jobs = [job for job in found if isinstance(job, dict)] if isinstance(found, list) else []
        looked = tracker.see(project, jobs)
        adopted = 0
        for key, seen in looked.unknown.items():
            if seen.create_time and now - seen.create_time >= _GRACE:
                submission = next((each for each in left if _is_of(seen, key, each)), None)
                _adopt(JobRecord(key, seen, seen.create_time), submission, deps)
                left = [each for each in left if each is not submission]
                adopted += 1
        names = (parse_name(str(job.get("name"))) for job in jobs)
        yield Page({JobKey(project, name[1], name[2]) for name in names if name}, adopted, left)
        token = str(page.get("nextPageToken") or "")
        if not token:
            return


def _adopt(job: JobRecord, submission: Submission | None, deps: Deps) -> None:
    record = (
        submission.record(job)
        if submission
        else msgspec.structs.replace(
            job, team=job.seen.labels.get(TEAM_LABEL), key_id=job.seen.labels.get(KEY_LABEL)
        )
    )
    deps.store.remember_project((parse_name(job.seen.name) or ("",))[0], job.key.project)
    deps.store.add_job(record, submission)
    log("NOTICE", "job adopted", event="job.adopted", **events.of_job(record))


def _is_of(seen: Observation, key: JobKey, submission: Submission) -> bool:
    """Whether a job came of a create whose answer was lost: by its marker, else by name and time."""
    if (submission.project, submission.location) != (key.project, key.location):
        return False
    if submission.marker:
        return seen.labels.get(MARKER_LABEL) == submission.marker
    sent = submission.created
    return seen.display_name == submission.display_name and (
        seen.create_time is not None and abs(seen.create_time - sent) < timedelta(minutes=2)
    )
