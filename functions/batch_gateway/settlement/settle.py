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

from batch_gateway import events
from batch_gateway.core.books import Output
from batch_gateway.core.outputs import directory_of, is_final_output, is_made_by_vertex
from batch_gateway.core.usage import Usage
from batch_gateway.logs import log
from batch_gateway.ports import ObjectInfo, UpstreamCredentialsError, UpstreamUnavailableError
from batch_gateway.settlement.closing import close_if_settled
from batch_gateway.settlement.deps import Deps, NotYetError
from batch_gateway.settlement.enforcement import note_overrun
from batch_gateway.settlement.notifying import notify
from batch_gateway.settlement.outputs import lose, settle_live
from batch_gateway.settlement.owners import find_job, refresh

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
    bucket: str, name: str, written: datetime, now: datetime, deps: Deps, *, deadline: float = inf
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
        return _nobodys(directory, bucket, live, deps, age=now - written, now=now)
    if live is not None:
        news = settle_live(job, bucket, live, deps, now=now, deadline=deadline)
        outcome = Outcome.SETTLED if news else Outcome.ALREADY_SETTLED
    else:
        news = lose(job, f"gs://{bucket}/{name}", deps, now=now)
        outcome = Outcome.UNREADABLE if news else Outcome.ALREADY_SETTLED
    try:
        job = refresh(job.key, deps) or job
    except (UpstreamUnavailableError, UpstreamCredentialsError) as error:
        # The books are right already. The job's state follows with the next look at it.
        log("WARNING", "job not refreshed", job=job.seen.name, error=error)
    overrun = note_overrun(job, deps.store, now)
    closed = close_if_settled(job, deps.store, deps.objects, now)
    for event in (overrun, closed):
        if event is not None:
            notify(event, deps.notify())
    return outcome


def _nobodys(
    directory: str, bucket: str, live: ObjectInfo | None, deps: Deps, *, age: timedelta, now: datetime
) -> Outcome:
    if live is None or not is_made_by_vertex(directory):
        return Outcome.IGNORED
    if age < GRACE:
        raise NotYetError(f"no job with the output directory {directory} is on record yet")
    reason = "belongs to no job on record"
    output = Output(f"gs://{bucket}/{live.name}", live.generation, live.size, Usage(), now, reason)
    deps.store.park(output)
    events.problem("ERROR", "output.parked", "output parked", uri=output.uri, reason=reason)
    return Outcome.PARKED
