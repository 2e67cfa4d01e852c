"""Settles one output object: reads it, prices it, puts it into the books.

An event is only a hint that there is something at a name. What is settled is the object that lives
there now, so that late, doubled and disordered events come to the same. Timeline::

    event -> is it output? -> whose job? -> live generation in the books? -> read it -> commit
                  no: ignore     nobody: again later,    yes: done               all in one
                                 at last park it                                 transaction

Whatever fails before the commit leaves the books untouched and raises, so that the event comes again.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from batch_gateway.core.books import Output, settle_output
from batch_gateway.core.jobs import JobKey, JobRecord, observe
from batch_gateway.core.lines import split_lines
from batch_gateway.core.money import format_nano
from batch_gateway.core.outputs import directory_of, is_final_output, is_made_by_vertex
from batch_gateway.core.prices import PriceTable
from batch_gateway.core.rows import Tally
from batch_gateway.core.usage import Usage
from batch_gateway.logs import log
from batch_gateway.ports import (
    ObjectInfo,
    ObjectStore,
    Store,
    Upstream,
    UpstreamCredentialsError,
    UpstreamUnavailableError,
)
from batch_gateway.settlement.closing import close_if_settled

_GRACE = timedelta(minutes=10)
"""How long an output may wait for its job's record before it counts as nobody's."""
_CANDIDATES = 50
"""Jobs that are looked up in one try to find whose output it is; a later try takes the next ones."""


class NotYetError(Exception):
    """The output cannot be settled now, but may be later: the event has to come again."""


class Outcome(StrEnum):
    """What became of an event."""

    IGNORED = "ignored"
    SETTLED = "settled"
    ALREADY_SETTLED = "already settled"
    UNREADABLE = "unreadable"
    PARKED = "parked"


class Deps(NamedTuple):
    """The outside."""

    store: Store
    objects: ObjectStore
    upstream: Upstream
    prices: PriceTable


def settle(bucket: str, name: str, written: datetime, now: datetime, deps: Deps) -> Outcome:
    """Settles the object at a name.

    Args:
        bucket: Bucket.
        name: Name of the object in it.
        written: When the event's object was written.
        now: The time.
        deps: The outside.

    Raises:
        NotYetError: The job is not known yet.
        Exception: Anything that a port raises; nothing has been written, and the event must come again.
    """
    directory = directory_of(bucket, name)
    if not is_final_output(name):
        return Outcome.IGNORED
    job = _find_job(directory, deps)
    live = deps.objects.stat(bucket, name)
    if job is None:
        return _nobodys(directory, bucket, live, deps, age=now - written, now=now)
    if live is None:
        outcome = _gone(job, bucket, name, now, deps)
    else:
        outcome = _settle_live(job, bucket, live, now, deps)
    try:
        job = _refresh(job.key, deps) or job
    except (UpstreamUnavailableError, UpstreamCredentialsError) as error:
        # The books are right already. The job's state follows with the next look at it.
        log("WARNING", "job not refreshed", job=job.seen.name, error=error)
    close_if_settled(job, deps.store, deps.objects)
    return outcome


def _settle_live(job: JobRecord, bucket: str, live: ObjectInfo, now: datetime, deps: Deps) -> Outcome:
    uri = f"gs://{bucket}/{live.name}"
    if any(
        output.uri == uri and output.generation >= live.generation
        for output in deps.store.get_outputs(job.key)
    ):
        return Outcome.ALREADY_SETTLED
    usage = _read(job, bucket, live, deps)
    output = Output(uri, live.generation, live.size, usage, now)
    settled = deps.store.settle(
        job.key, output, lambda record, old: settle_output(record, old, output, deps.prices)
    )
    if settled is None:
        return Outcome.ALREADY_SETTLED
    log(
        "WARNING" if usage.rows.malformed or settled.cost.unpriced_rows else "INFO",
        "output settled",
        job=job.seen.name,
        uri=uri,
        generation=live.generation,
        bytes=live.size,
        rows=usage.rows,
        job_amount_usd=format_nano(settled.cost.amount_nano),
        unpriced_rows=settled.cost.unpriced_rows,
    )
    return Outcome.SETTLED


def _read(job: JobRecord, bucket: str, live: ObjectInfo, deps: Deps) -> Usage:
    tally = Tally(deps.prices, job.seen.model, job.resumed_at)
    chunks: Iterator[bytes] = deps.objects.read(bucket, live.name, live.generation)
    for line in split_lines(chunks):
        if line is None:
            tally.add_malformed()
        else:
            tally.add(line)
    return tally.usage


def _gone(job: JobRecord, bucket: str, name: str, now: datetime, deps: Deps) -> Outcome:
    """The object was deleted. If it was settled before, its cost stays; if not, that is an error for good."""
    uri = f"gs://{bucket}/{name}"
    output = Output(uri, 0, 0, Usage(), now, unreadable="deleted before it could be read")
    if (
        deps.store.settle(
            job.key, output, lambda record, old: settle_output(record, old, output, deps.prices)
        )
        is None
    ):
        return Outcome.ALREADY_SETTLED
    log("ERROR", "output lost", job=job.seen.name, uri=uri, reason=output.unreadable)
    return Outcome.UNREADABLE


def _find_job(directory: str, deps: Deps) -> JobRecord | None:
    """The job that a directory is of: as recorded, else as Vertex says.

    Raises:
        NotYetError: Jobs with this output prefix still run, or more remain to be looked up.
    """
    known = deps.store.jobs_by_directory(directory)
    if known:
        return known[0]
    candidates = deps.store.jobs_without_directory(directory.rpartition("/")[0], _CANDIDATES)
    running = False
    for candidate in candidates:
        record = _refresh(candidate.key, deps)
        if record is None:
            continue
        if record.seen.output_directory == directory:
            return record
        if record.seen.terminal:
            # It has ended without output: out of the way of the next look-up.
            close_if_settled(record, deps.store, deps.objects)
        else:
            running = True
    if running or len(candidates) == _CANDIDATES:
        raise NotYetError(f"no job has reported {directory} as its output yet; {len(candidates)} may")
    return None


def _refresh(key: JobKey, deps: Deps) -> JobRecord | None:
    """A job's record after a look upstream, which is spared if it ended with a directory.

    None if Vertex AI does not have the job (any more): nothing more will be heard of it.
    """
    record = deps.store.get_job(key)
    if record is None or (record.seen.terminal and record.seen.output_directory):
        return record
    job = deps.upstream.get_job(key)
    seen = observe(job) if job else None
    return deps.store.observe({key: seen}).get(key) if seen else None


def _nobodys(
    directory: str, bucket: str, live: ObjectInfo | None, deps: Deps, *, age: timedelta, now: datetime
) -> Outcome:
    if live is None or not is_made_by_vertex(directory):
        return Outcome.IGNORED
    if age < _GRACE:
        raise NotYetError(f"no job with the output directory {directory} is on record yet")
    reason = "belongs to no job on record"
    output = Output(f"gs://{bucket}/{live.name}", live.generation, live.size, Usage(), now, reason)
    deps.store.park(output)
    log("ERROR", "output parked", uri=output.uri, reason=reason)
    return Outcome.PARKED
