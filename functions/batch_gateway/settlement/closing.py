"""Close jobs whose cost is final."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

import msgspec

from batch_gateway import log_events
from batch_gateway.core.accounting.settlement import is_settled, reprice
from batch_gateway.core.jobs.late_output import ended_at, is_watched, never_ran, next_look
from batch_gateway.core.jobs.output_names import (
    OutputKind,
    directory_of,
    is_final_output,
    is_incremental_output,
    kind_of,
    lacks_shards,
    split_uri,
)
from batch_gateway.core.jobs.record import WITH_OUTPUT_STATES, JobRecord
from batch_gateway.core.notify.events import Event, job_event
from batch_gateway.logs import log
from batch_gateway.notify.delivery import has_receiver
from batch_gateway.ports import JobStore, ObjectInfo, ObjectStore
from batch_gateway.settlement.deps import SettlementDeps
from batch_gateway.settlement.missing_prices import note_missing_prices


class OutputStatus(NamedTuple):
    """The state of an ended job's output.

    Attributes:
        missing: Objects that count and are not settled.
        exists: Whether there is any output, or was.
        has_final: Whether there is final output, or was.
        is_incomplete: Whether some of it is known to be missing: shards, or output in an unclaimed directory.
    """

    missing: list[ObjectInfo]
    exists: bool = False
    has_final: bool = False
    is_incomplete: bool = False


def close_if_settled(job: JobRecord, deps: SettlementDeps, now: datetime) -> Event | None:
    """Close a job if it has ended, every output in its directory is settled, and no more is expected.

    Returns:
        The event to send. It is in the outbox: the next sweep delivers it if the caller does not.
    """
    if job.closed or not job.ended or job.seen.output_table:
        return None
    listed = list_output(job, deps.objects)
    # While output is missing, the recorded outputs are not read: a job with many shards would do so for each.
    if sum(is_final_output(info.name) for info in listed) > job.settled_outputs:
        return None
    status = _output_status(job, listed, deps, now)
    if status.missing or not may_close(job, status, now):
        return None
    closed = close(job, status, deps, now)
    return closed[1] if closed else None


def may_close(job: JobRecord, status: OutputStatus, now: datetime) -> bool:
    """Return whether a job's cost is final once its missing output is settled.

    It is final when the final output is there, when there can be none, or when none came while the job was
    watched. Until then output may still come: if a job was cancelled, expired or failed, Vertex AI exports
    the rows that were done, at a time that is not documented.
    """
    whole = status.has_final and not status.is_incomplete
    return whole or (never_ran(job) and not status.exists) or not is_watched(job, now)


def close(
    job: JobRecord, status: OutputStatus, deps: SettlementDeps, now: datetime
) -> tuple[JobRecord, Event | None] | None:
    """Mark a job as closed, release its reservation, and announce it once.

    Returns:
        The closed job, and the event to send, if any; None if the job was closed before.
    """
    missing = status.is_incomplete or (job.seen.state in WITH_OUTPUT_STATES and not status.has_final)
    if job.cost.unpriced_rows:
        # The instance may have ended before they were announced. Those that have a price by now are not.
        repriced = reprice(job, deps.prices(), by="", now=now)
        note_missing_prices(repriced.job if repriced else job, deps, now)

    def mark_closed(record: JobRecord) -> JobRecord | None:
        if record.closed:
            return None
        return msgspec.structs.replace(
            record,
            closed=True,
            output_missing=missing,
            reserved_nano=0,
            next_look=next_look(record, now),
        )

    closed = deps.store.amend_job(job.key, mark_closed, _event_factory(job, deps, now))
    if closed is not None:
        record = closed[0]
        if record.output_missing:
            uri = record.seen.output_directory or record.seen.output_table or "no output directory"
            log("ERROR", "output lost", event="output.lost", job=record.seen.name, uri=uri)
        log_events.ended(record)
    return closed


def announce(job: JobRecord, deps: SettlementDeps, now: datetime) -> Event | None:
    """Announce once that a job has failed, expired or been cancelled, though more output may come.

    Returns:
        The event to send, which is in the outbox; None if it was announced before, or if the job succeeded:
        a success is announced only when its output is there.
    """

    def mark_announced(record: JobRecord) -> JobRecord | None:
        is_announced = record.announced or record.closed or record.reopened
        if is_announced or not record.seen.terminal or record.seen.state in WITH_OUTPUT_STATES:
            return None
        return msgspec.structs.replace(record, announced=True)

    announced = deps.store.amend_job(job.key, mark_announced, _event_factory(job, deps, now))
    if announced is None:
        return None
    log_events.ended(announced[0])
    return announced[1]


def _event_factory(
    job: JobRecord, deps: SettlementDeps, now: datetime
) -> Callable[[JobRecord], Event | None]:
    """Return a function that makes the event of a job's end; it returns None if there is no receiver."""
    if not has_receiver(job.key_id, deps.notify()):
        return lambda _: None
    return lambda record: job_event(record, now)


def check_output(job: JobRecord, deps: SettlementDeps, now: datetime) -> OutputStatus:
    """Compare a job's output directory with the outputs that are settled.

    Final files count. Incremental ones, whose rows the final ones repeat, count only without a final file.
    """
    return _output_status(job, list_output(job, deps.objects), deps, now)


def list_output(job: JobRecord, objects: ObjectStore) -> list[ObjectInfo]:
    """List the output that a job wrote to its directory.

    A directory below it is another job's: anybody may choose it as the prefix of their output.
    """
    directory = job.seen.output_directory
    if directory is None:
        return []
    bucket, prefix = split_uri(directory)
    return [
        info
        for info in objects.list(bucket, f"{prefix}/")
        if kind_of(info.name) is not None and directory_of(bucket, info.name) == directory
    ]


def _output_status(
    job: JobRecord, listed: list[ObjectInfo], deps: SettlementDeps, now: datetime
) -> OutputStatus:
    if job.seen.output_directory is None:
        # Before a job is closed without output: check whether an unclaimed directory may be its own.
        return OutputStatus(
            [], is_incomplete=not is_watched(job, now) and _has_unclaimed(job, deps.store, deps.objects)
        )
    bucket, _ = split_uri(job.seen.output_directory)
    settled = {output.uri: output.generation for output in deps.store.get_outputs(job.key)}
    found = [info for info in listed if is_final_output(info.name)]
    generations = {**settled, **{f"gs://{bucket}/{info.name}": info.generation for info in found}}
    final = {uri: number for uri, number in generations.items() if kind_of(uri) is OutputKind.RESULTS}
    # Generation 0 means deleted before it could be read: then only incremental files are left.
    if not any(final.values()):
        found += [info for info in listed if is_incremental_output(info.name)]
    missing = [
        info for info in found if not is_settled(settled.get(f"gs://{bucket}/{info.name}"), info.generation)
    ]
    return OutputStatus(missing, bool(found or settled), bool(final), lacks_shards(final))


def _has_unclaimed(job: JobRecord, store: JobStore, objects: ObjectStore) -> bool:
    """Return whether an unclaimed directory was created under a job's output prefix during its lifetime.

    It is not documented whether Vertex AI reports the directory of a job that did not succeed. Guessing that
    the output belongs to this job could be wrong, and so could a final cost that leaves it out.
    """
    if job.seen.output_prefix is None:
        return False
    bucket, prefix = split_uri(job.seen.output_prefix)
    made = f"{prefix}/prediction-model-".removeprefix("/")
    first, last = (
        f"gs://{bucket}/{made}{time:%Y-%m-%dT%H:%M:%S}" for time in (job.create_time, ended_at(job))
    )
    directories = {
        directory_of(bucket, info.name)
        for info in objects.list(bucket, made)
        if kind_of(info.name) is not None
    }
    return any(first <= each <= f"{last}~" and not store.jobs_by_directory(each) for each in directories)
