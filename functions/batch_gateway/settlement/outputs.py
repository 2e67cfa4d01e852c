"""Puts one output into the books: reads it, prices it, commits it."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from batch_gateway import log_events
from batch_gateway.core.accounting.settlement import Change, Output, settle_output
from batch_gateway.core.jobs.record import JobRecord, merge_observations
from batch_gateway.core.rows.readers import UnreadableOutputError
from batch_gateway.core.usage import Usage
from batch_gateway.ports import ObjectInfo
from batch_gateway.settlement.deps import SettlementDeps
from batch_gateway.settlement.job_lookup import base_model
from batch_gateway.settlement.reading import read_usage


def settle_live(
    job: JobRecord, bucket: str, live: ObjectInfo, deps: SettlementDeps, *, now: datetime, deadline: float
) -> bool:
    """Settle the generation of an object that lives now.

    Returns:
        Whether there was anything to do.

    Raises:
        NotYetError: It is too large for the time that was left; a later try goes on.
        Exception: Anything that a port raises; nothing has been written.
    """
    read = read_output(job, bucket, live, deps, now=now, deadline=deadline)
    return read is not None and commit(read.job, read.output, deps, written=live.created) is not None


class Read(NamedTuple):
    """An output as read, and its job with the base of its model."""

    job: JobRecord
    output: Output


def read_output(
    job: JobRecord, bucket: str, live: ObjectInfo, deps: SettlementDeps, *, now: datetime, deadline: float
) -> Read | None:
    """Read an object, unless its live generation is in the books.

    Raises:
        NotYetError: It is too large for the time that was left; a later try goes on.
        Exception: Anything that a port raises.
    """
    uri = f"gs://{bucket}/{live.name}"
    settled, begun = deps.store.get_output(job.key, uri)
    if settled is not None and settled.generation >= live.generation:
        return None
    job = msgspec.structs.replace(job, base_model=base_model(job, deps.upstream))
    usage, problem = Usage(), None
    try:
        usage = read_usage(job, bucket, live, begun, deps, now=now, deadline=deadline)
    except UnreadableOutputError as error:
        problem = str(error)
    return Read(job, Output(uri, live.generation, live.size, usage, now, problem))


def commit(job: JobRecord, output: Output, deps: SettlementDeps, *, written: datetime) -> JobRecord | None:
    """Commit what was read of an output.

    Args:
        job: With the base of its model, and as Vertex AI shows it, which goes on record with the output.
        output: As read.
        deps: The outside.
        written: When it was written.

    Returns:
        The job as it then stands; None if the output was no news to the books.
    """
    before = job

    def settlement(record: JobRecord, old: Output | None, increments: Sequence[Output]) -> Change | None:
        nonlocal before
        before = record
        seen = merge_observations(record.seen, job.seen)
        record = msgspec.structs.replace(record, base_model=job.base_model, seen=seen)
        return settle_output(record, old, increments, output, deps.prices)

    settled = deps.store.settle(job.key, output, settlement)
    if settled is None:
        return None
    log_events.output_settled(before, settled, output, written)
    if before.seen.state != settled.seen.state:
        log_events.state_changed(before, settled)
    if before.closed and not settled.closed:
        log_events.reopened(settled)
    return settled


def lose(job: JobRecord, uri: str, deps: SettlementDeps, *, now: datetime) -> JobRecord | None:
    """Put an output into the books that was deleted before it could be read.

    If it was settled before, its cost stays. If not, that is an error for good.

    Returns:
        The job as it then stands; None if the books had the output.
    """
    output = Output(uri, 0, 0, Usage(), now, unreadable="deleted before it could be read")
    lost = commit(job, output, deps, written=now)
    if lost is not None:
        log_events.problem("ERROR", "output.lost", "output lost", job=job.seen.name, uri=uri)
    return lost
