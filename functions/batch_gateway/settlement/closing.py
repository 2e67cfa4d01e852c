"""When a job's cost is final."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

import msgspec

from batch_gateway import log_events
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
from batch_gateway.core.jobs.watch import ended_at, is_watched, never_ran, next_look
from batch_gateway.core.notify.notifications import Event, job_event
from batch_gateway.notify.delivery import has_receiver
from batch_gateway.ports import ObjectInfo, ObjectStore, Store
from batch_gateway.settlement.deps import SettlementDeps


class Look(NamedTuple):
    """What a look at an ended job's output showed.

    Attributes:
        missing: What counts and is not in the books.
        is_there: Whether there is any output, or was.
        is_final: Whether there is final output, or was.
        is_short: Whether some of it is known to be missing: shards, or what is in a directory of nobody.
    """

    missing: list[ObjectInfo]
    is_there: bool = False
    is_final: bool = False
    is_short: bool = False


def close_if_settled(job: JobRecord, deps: SettlementDeps, now: datetime) -> Event | None:
    """Close a job if it has ended, every output in its directory is in the books, and no more is expected.

    Returns:
        What goes out of it. It is noted, and delivered by the next sweep if nobody does before.
    """
    if job.closed or not job.ended or job.seen.output_table:
        return None
    listed = _list(job, deps.objects)
    # While output is missing, the books are not read: a job with many shards would have them read for each.
    if sum(is_final_output(info.name) for info in listed) > job.settled_outputs:
        return None
    look = _look(job, listed, deps, now)
    if look.missing or not may_close(job, look, now):
        return None
    closed = close(job, look, deps, now)
    return closed[1] if closed else None


def may_close(job: JobRecord, look: Look, now: datetime) -> bool:
    """Tell whether a job's cost is final once what is missing has been settled.

    It is when the final output is there, when there can be none, or when none came for as long as the job
    was watched. Until then output may still come: of a job that was cancelled, expired or failed Vertex AI
    exports what was done, at a time that nobody can tell.
    """
    whole = look.is_final and not look.is_short
    return whole or (never_ran(job) and not look.is_there) or not is_watched(job, now)


def close(
    job: JobRecord, look: Look, deps: SettlementDeps, now: datetime
) -> tuple[JobRecord, Event | None] | None:
    """Mark a job as closed, release what is reserved for it, and say so once.

    Returns:
        The closed job, and what goes out of it; None if it was closed before.
    """
    missing = look.is_short or (job.seen.state in WITH_OUTPUT_STATES and not look.is_final)

    def closing(record: JobRecord) -> JobRecord | None:
        if record.closed:
            return None
        return msgspec.structs.replace(
            record,
            closed=True,
            output_missing=missing,
            reserved_nano=0,
            next_look=next_look(record, now),
        )

    closed = deps.store.amend_job(job.key, closing, _event_of(job, deps, now))
    if closed is not None:
        record = closed[0]
        if record.output_missing:
            uri = record.seen.output_directory or record.seen.output_table or "no output directory"
            log_events.problem("ERROR", "output.lost", "output lost", job=record.seen.name, uri=uri)
        log_events.ended(record)
    return closed


def announce(job: JobRecord, deps: SettlementDeps, now: datetime) -> Event | None:
    """Say once that a job has failed, expired or been cancelled, though more output may come.

    Returns:
        What goes out of it, noted as close has it; None if it was said before, or if the job succeeded:
        nobody is told of a success whose output is not there.
    """

    def announcing(record: JobRecord) -> JobRecord | None:
        said = record.announced or record.closed or record.reopened
        if said or not record.seen.terminal or record.seen.state in WITH_OUTPUT_STATES:
            return None
        return msgspec.structs.replace(record, announced=True)

    announced = deps.store.amend_job(job.key, announcing, _event_of(job, deps, now))
    if announced is None:
        return None
    log_events.ended(announced[0])
    return announced[1]


def _event_of(job: JobRecord, deps: SettlementDeps, now: datetime) -> Callable[[JobRecord], Event | None]:
    """Return what makes the event of a job's end, if there is anybody to tell."""
    if not has_receiver(job.key_id, deps.notify()):
        return lambda _: None
    return lambda record: job_event(record, now)


def look_at(job: JobRecord, deps: SettlementDeps, now: datetime) -> Look:
    """Look through a job's output directory.

    Final files count; incremental ones, which repeat their rows, only where there are none.
    """
    return _look(job, _list(job, deps.objects), deps, now)


def _list(job: JobRecord, objects: ObjectStore) -> list[ObjectInfo]:
    """List what is in a job's output directory."""
    if job.seen.output_directory is None:
        return []
    bucket, prefix = split_uri(job.seen.output_directory)
    return list(objects.list(bucket, f"{prefix}/"))


def _look(job: JobRecord, listed: list[ObjectInfo], deps: SettlementDeps, now: datetime) -> Look:
    if job.seen.output_directory is None:
        # Before it is closed without any output: does nobody's look as if it were this job's?
        return Look([], is_short=not is_watched(job, now) and _has_unclaimed(job, deps.store, deps.objects))
    bucket, _ = split_uri(job.seen.output_directory)
    settled = {output.uri: output.generation for output in deps.store.get_outputs(job.key)}
    found = [info for info in listed if is_final_output(info.name)]
    generations = {**settled, **{f"gs://{bucket}/{info.name}": info.generation for info in found}}
    final = {uri: number for uri, number in generations.items() if kind_of(uri) is OutputKind.RESULTS}
    # One without a generation was deleted before it could be read: then incremental ones are all there is.
    if not any(final.values()):
        found += [info for info in listed if is_incremental_output(info.name)]
    missing = [info for info in found if settled.get(f"gs://{bucket}/{info.name}", -1) < info.generation]
    return Look(missing, bool(found or settled), bool(final), lacks_shards(final))


def _has_unclaimed(job: JobRecord, store: Store, objects: ObjectStore) -> bool:
    """Tell whether a directory that no job has reported was made under a job's prefix in its lifetime.

    Whether Vertex AI reports the directory of a job that did not succeed is not documented. A guess whose
    output it is would not do, but nor would a cost that says that there is none.
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
