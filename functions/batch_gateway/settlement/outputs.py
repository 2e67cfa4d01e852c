"""Settle one output: read it, price it and commit it."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from batch_gateway import log_events
from batch_gateway.core.accounting.settlement import Change, Output, is_settled, settle_output
from batch_gateway.core.jobs.record import JobRecord, merge_observations
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.core.rows.object_readers import UnreadableOutputError
from batch_gateway.core.usage import Usage
from batch_gateway.logs import log
from batch_gateway.ports import ObjectInfo
from batch_gateway.settlement.deps import SettlementDeps
from batch_gateway.settlement.job_lookup import find_base_model
from batch_gateway.settlement.missing_prices import note_missing_prices
from batch_gateway.settlement.reading import read_usage


def settle_live(
    job: JobRecord, bucket: str, live: ObjectInfo, deps: SettlementDeps, *, now: datetime, deadline: float
) -> bool:
    """Settle the live generation of an object.

    Returns:
        Whether there was anything to settle.

    Raises:
        NotYetError: The object is too large for the time that was left; a later try continues.
        Exception: Any error of a port; nothing has been written.
    """
    read = read_output(job, bucket, live, deps, now=now, deadline=deadline)
    return read is not None and commit(*read, deps, written=live.created) is not None


class ReadOutput(NamedTuple):
    """An output that was read, its job with the base of its model, and the prices that it was read with."""

    job: JobRecord
    output: Output
    prices: PriceTable


def read_output(
    job: JobRecord, bucket: str, live: ObjectInfo, deps: SettlementDeps, *, now: datetime, deadline: float
) -> ReadOutput | None:
    """Read an object; None if its live generation, or a later one, is settled.

    Raises:
        NotYetError: The object is too large for the time that was left; a later try continues.
        Exception: Any error of a port.
    """
    uri = f"gs://{bucket}/{live.name}"
    settled, begun = deps.store.get_output(job.key, uri)
    if is_settled(settled.generation if settled else None, live.generation):
        return None
    job = msgspec.structs.replace(job, base_model=find_base_model(job, deps))
    prices, usage, problem = deps.prices(), Usage(), None
    try:
        usage = read_usage(job, bucket, live, begun, deps, prices=prices, now=now, deadline=deadline)
    except UnreadableOutputError as error:
        problem = str(error)
    return ReadOutput(job, Output(uri, live.generation, live.size, usage, now, problem), prices)


def commit(
    job: JobRecord, output: Output, prices: PriceTable, deps: SettlementDeps, *, written: datetime
) -> JobRecord | None:
    """Commit an output that was read.

    Args:
        job: The job with the base of its model, and in the state that Vertex AI shows, which is saved, too.
        output: The output that was read.
        prices: The prices that it was read with, so that one settlement has one table.
        deps: The ports.
        written: Time at which the object was written.

    Returns:
        The job's new record; None if the output was settled already.
    """
    before = job

    def settlement(record: JobRecord, old: Output | None, increments: Sequence[Output]) -> Change | None:
        nonlocal before
        before = record
        seen = merge_observations(record.seen, job.seen)
        record = msgspec.structs.replace(record, base_model=job.base_model, seen=seen)
        return settle_output(record, old, increments, output, prices)

    settled = deps.store.settle(job.key, output, settlement)
    if settled is None:
        return None
    log_events.output_settled(before, settled, output, written)
    if before.seen.state != settled.seen.state:
        log_events.state_changed(before, settled)
    if before.closed and not settled.closed:
        log_events.reopened(settled)
    note_missing_prices(settled, deps, output.settled_at)
    return settled


def record_lost(job: JobRecord, uri: str, deps: SettlementDeps, *, now: datetime) -> JobRecord | None:
    """Record an output that was deleted before it could be read.

    If it was settled before, its cost stays. If not, it stays unreadable.

    Returns:
        The job's new record; None if the output was settled already.
    """
    output = Output(uri, 0, 0, Usage(), now, unreadable="deleted before it could be read")
    lost = commit(job, output, deps.prices(), deps, written=now)
    if lost is not None:
        log("ERROR", "output lost", event="output.lost", job=job.seen.name, uri=uri)
    return lost
