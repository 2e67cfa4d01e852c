"""Settles one output object: reads it, prices it, puts it into the books.

An event is only a hint that there is something at a name. What is settled is the object that lives
there now, so that late, doubled and disordered events come to the same. Timeline::

    event -> is it output? -> whose job? -> live generation in the books? -> read it -> commit
                  no: ignore     nobody: again later,    yes: done            |          all in one
                                 at last park it                              |          transaction
                                                     time is up: keep a checkpoint, again later

Whatever fails before the commit leaves the books untouched and raises, so that the event comes again.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from math import inf

from batch_gateway import log_events
from batch_gateway.core.accounting.settlement import Output
from batch_gateway.core.jobs.output_names import (
    directory_of,
    is_final_output,
    is_made_by_vertex,
    number_of_shards,
)
from batch_gateway.core.jobs.record import JobRecord
from batch_gateway.core.usage import Usage
from batch_gateway.logs import log
from batch_gateway.notify.delivery import notify
from batch_gateway.ports import ObjectInfo, UpstreamCredentialsError, UpstreamUnavailableError
from batch_gateway.settlement.closing import close_if_settled
from batch_gateway.settlement.deps import NotYetError, SettlementDeps
from batch_gateway.settlement.enforcement import note_overrun
from batch_gateway.settlement.job_lookup import find_job, look_up
from batch_gateway.settlement.outputs import commit, lose, read_output
from batch_gateway.tracking import note

GRACE = timedelta(minutes=10)
"""How long an output may wait for its job's record before it counts as nobody's."""


class Outcome(StrEnum):
    """What became of an event."""

    IGNORED = "ignored"
    SETTLED = "settled"
    ALREADY_SETTLED = "already settled"
    UNREADABLE = "unreadable"
    PARKED = "parked"


def settle(
    bucket: str, name: str, written: datetime, now: datetime, deps: SettlementDeps, *, deadline: float = inf
) -> Outcome:
    """Settles the object at a name.

    Args:
        bucket: Bucket.
        name: Name of the object in it.
        written: When the event's object was written.
        now: The time.
        deps: The outside.
        deadline: When reading has to stop, on ``deps.clock``.

    Raises:
        NotYetError: The job is not known yet, or there was not enough time to read it all.
        Exception: Anything that a port raises; nothing has been written, and the event must come again.
    """
    directory = directory_of(bucket, name)
    if not is_final_output(name):
        return Outcome.IGNORED
    job = find_job(directory, deps)
    live = deps.objects.stat(bucket, name)
    if job is None:
        return _park_unclaimed(directory, bucket, live, deps, age=now - written, now=now)
    uri = f"gs://{bucket}/{name}"
    settled: JobRecord | None = None
    if live is None:
        job = _as_shown(job, deps)
        settled = lose(job, uri, deps, now=now)
    elif read := read_output(job, bucket, live, deps, now=now, deadline=deadline):
        # A large output takes minutes to read: the job is looked at afterwards.
        job = _as_shown(read.job, deps)
        settled = commit(job, read.output, deps, written=live.created)
    if settled is None:
        job = _as_shown(job, deps)
        _finish(note(deps.store, {job.key: job.seen}).get(job.key, job), uri, deps, now)
        return Outcome.ALREADY_SETTLED
    _finish(settled, uri, deps, now)
    return Outcome.SETTLED if live is not None else Outcome.UNREADABLE


def _as_shown(job: JobRecord, deps: SettlementDeps) -> JobRecord:
    """Return a job as Vertex AI shows it; as it is on record if Vertex AI cannot be asked.

    Then the books will be right all the same, and the job's state follows with the next look at it.
    """
    try:
        return look_up(job, deps) or job
    except (UpstreamUnavailableError, UpstreamCredentialsError) as error:
        log("WARNING", "job not looked up", job=job.seen.name, error=error)
        return job


def _finish(job: JobRecord, uri: str, deps: SettlementDeps, now: datetime) -> None:
    """Close a job if this was the last of its output, and send out what happened."""
    overrun = note_overrun(job, deps.store, now)
    # While shards are missing, the directory is not looked through: that would be done for each of them.
    is_whole = job.settled_outputs >= number_of_shards(uri)
    closed = close_if_settled(job, deps, now) if is_whole else None
    for event in (overrun, closed):
        if event is not None:
            notify(event, deps.notify())


def _park_unclaimed(
    directory: str,
    bucket: str,
    live: ObjectInfo | None,
    deps: SettlementDeps,
    *,
    age: timedelta,
    now: datetime,
) -> Outcome:
    if live is None or not is_made_by_vertex(directory):
        return Outcome.IGNORED
    if age < GRACE:
        raise NotYetError(f"no job with the output directory {directory} is on record yet")
    reason = "belongs to no job on record"
    output = Output(f"gs://{bucket}/{live.name}", live.generation, live.size, Usage(), now, reason)
    deps.store.park(output)
    log_events.problem("ERROR", "output.parked", "output parked", uri=output.uri, reason=reason)
    return Outcome.PARKED
