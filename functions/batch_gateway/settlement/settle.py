"""Settle one output object: read it, price it and record its cost.

An event is only a hint that there may be an object with that name. The object that is there now is settled,
so late, repeated and reordered events have the same result. Timeline::

    event -> is it output? -> find its job -> live generation settled? -> read it -> commit
                no: ignore      unclaimed: retry,     yes: done             |         all in one
                                finally park it                             |         transaction
                                                    out of time: save a checkpoint, retry

A failure before the commit changes nothing and raises, so that the event is delivered again.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from math import inf

import msgspec

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
from batch_gateway.notify.delivery import notify_all
from batch_gateway.ports import ObjectInfo, UpstreamCredentialsError, UpstreamUnavailableError
from batch_gateway.settlement.closing import close_if_settled
from batch_gateway.settlement.deps import NotYetError, SettlementDeps
from batch_gateway.settlement.enforcement import note_overrun
from batch_gateway.settlement.job_lookup import fetch_job, find_job
from batch_gateway.settlement.outputs import commit, read_output, record_lost
from batch_gateway.tracking import record_observations

GRACE = timedelta(minutes=10)
"""Time that an output may wait for its job's record before it counts as unclaimed."""


class Outcome(StrEnum):
    """The result of an event."""

    IGNORED = "ignored"
    SETTLED = "settled"
    ALREADY_SETTLED = "already settled"
    UNREADABLE = "unreadable"
    PARKED = "parked"


def settle(
    bucket: str, name: str, written: datetime, now: datetime, deps: SettlementDeps, *, deadline: float = inf
) -> Outcome:
    """Settle the object with a name.

    Args:
        bucket: Bucket.
        name: Name of the object in it.
        written: Time at which the event's object was written.
        now: The current time.
        deps: The ports.
        deadline: Time on ``deps.clock`` at which reading has to stop.

    Raises:
        NotYetError: The job is not known yet, or there was not enough time to read the whole object.
        Exception: Any error of a port; nothing has been written, and the event must be delivered again.
    """
    directory = directory_of(bucket, name)
    if not is_final_output(name):
        return Outcome.IGNORED
    job = find_job(directory, deps)
    live = deps.objects.stat(bucket, name)
    if job is None:
        return _handle_unclaimed(directory, bucket, live, deps, age=now - written, now=now)
    uri = f"gs://{bucket}/{name}"
    read = read_output(job, bucket, live, deps, now=now, deadline=deadline) if live else None
    # A large output takes minutes to read, so the job is fetched afterwards, and what is written has the time
    # of now: a sender has LEASE from an event's time on, and the lag of an output ends when it is settled.
    job = _with_current_state(read.job if read else job, deps)
    now = deps.now()
    if live is None:
        settled = record_lost(job, uri, deps, now=now)
    elif read:
        output = msgspec.structs.replace(read.output, settled_at=now)
        settled = commit(job, output, read.prices, deps, written=live.created)
    else:
        settled = None
    if settled is None:
        _finish(record_observations(deps.store, {job.key: job.seen}).get(job.key, job), uri, deps, now)
        return Outcome.ALREADY_SETTLED
    _finish(settled, uri, deps, now)
    return Outcome.SETTLED if live else Outcome.UNREADABLE


def _with_current_state(job: JobRecord, deps: SettlementDeps) -> JobRecord:
    """Return a job with the state that Vertex AI shows, or as it is on record if Vertex AI cannot be asked.

    Its cost is right in either case; the sweep updates its state later.
    """
    try:
        return fetch_job(job, deps) or job
    except (UpstreamUnavailableError, UpstreamCredentialsError) as error:
        log("WARNING", "job not looked up", job=job.seen.name, error=error)
        return job


def _finish(job: JobRecord, uri: str, deps: SettlementDeps, now: datetime) -> None:
    """Close a job if this was the last of its output, and send the events."""
    overrun = note_overrun(job, deps.store, now)
    # While shards are missing, the directory is not listed: that would be done for each shard.
    is_whole = job.settled_outputs >= number_of_shards(uri)
    closed = close_if_settled(job, deps, now) if is_whole else None
    events = [event for event in (overrun, closed) if event is not None]
    if events:
        notify_all(events, deps.notify())


def _handle_unclaimed(
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
        raise NotYetError(f"no job on record has the output directory {directory} yet")
    reason = "belongs to no job on record"
    output = Output(f"gs://{bucket}/{live.name}", live.generation, live.size, Usage(), now, reason)
    deps.store.park(output)
    log("ERROR", "output parked", event="output.parked", uri=output.uri, reason=reason)
    return Outcome.PARKED
