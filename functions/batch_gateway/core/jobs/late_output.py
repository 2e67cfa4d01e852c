"""Decide how long and how often the sweep looks for more output of a job that has ended.

It is not published how long Vertex AI goes on exporting after a cancel or an expiry ("all completed rows are
exported" is all that "Batch inference with Gemini" says), nor for how long an output may be rewritten.
"""

from datetime import datetime, timedelta

from batch_gateway.core.jobs.record import JobRecord

WATCH = timedelta(hours=24)
"""Time after its end during which a job is watched: as long as a job may run, since exporting its rows should
not take longer than that."""
_LONGEST_LIFE = timedelta(hours=72 + 24)
"""Longest time in the queue plus longest run time ("Batch inference with Gemini")."""
_EVERY_SWEEP = timedelta(hours=1)
"""Time after its end during which every sweep looks at a closed job; later looks are ever further apart."""


def ended_at(job: JobRecord) -> datetime:
    """Return when an ended job ended, or the latest time at which it can have ended.

    Vertex AI sets no endTime on expired jobs (BatchPredictionJob, discovery revision 20261106), and a job
    that was deleted may never have been seen to end.
    """
    updated = job.seen.update_time if job.seen.terminal else None
    return job.seen.end_time or updated or job.deleted_at or job.create_time + _LONGEST_LIFE


def is_watched(job: JobRecord, now: datetime) -> bool:
    """Return True if more output of an ended job may come."""
    return now - ended_at(job) < WATCH


def never_ran(job: JobRecord) -> bool:
    """Return True if a job failed before it began, so that it cannot have written anything.

    startTime is set when a job enters JOB_STATE_RUNNING (BatchPredictionJob, discovery revision 20261106).
    """
    seen = job.seen
    answered = seen.completion is not None and seen.completion.completed > 0
    failed = seen.state == "JOB_STATE_FAILED"
    return failed and seen.start_time is None and not answered and not job.settled_outputs


def next_look(job: JobRecord, now: datetime) -> datetime | None:
    """Return when to look again for output of a closed job; None if it is no longer watched.

    The last look is at the end of the watch, so that it finds everything written during the watch.
    """
    age = now - ended_at(job)
    if age >= WATCH:
        return None
    return now if age < _EVERY_SWEEP else now + min(age / 2, WATCH - age)
