"""When a job's cost is final."""

from datetime import datetime

import msgspec

from batch_gateway import events
from batch_gateway.core.jobs import JobRecord
from batch_gateway.core.notifications import Event, job_event
from batch_gateway.core.outputs import OutputKind, is_final_output, is_incremental_output, kind_of, split_uri
from batch_gateway.ports import ObjectInfo, ObjectStore, Store

_WITH_OUTPUT = frozenset({"JOB_STATE_SUCCEEDED", "JOB_STATE_PARTIALLY_SUCCEEDED"})


class NoOutputError(Exception):
    """A job that should have output has none that can be seen (yet)."""


def close_if_settled(job: JobRecord, store: Store, objects: ObjectStore, now: datetime) -> Event | None:
    """Marks a job as closed if it has ended and every output in its directory is in the books.

    The directory is listed only after the end was seen: nothing is written to it any more.

    Returns:
        What goes out of it. It is noted, and delivered by the next sweep if nobody does before.
    """
    if job.closed or not job.ended or job.seen.output_table:
        return None
    try:
        missing = unsettled(job, store, objects)
    except NoOutputError:
        return None
    closed = None if missing else close(job, store, now)
    return closed[1] if closed else None


def close(job: JobRecord, store: Store, now: datetime) -> tuple[JobRecord, Event | None] | None:
    """Marks a job as closed, and says so once.

    Returns:
        The closed job, and what goes out of it; None if it was closed before.
    """

    def closing(record: JobRecord) -> JobRecord | None:
        return None if record.closed else msgspec.structs.replace(record, closed=True, reserved_nano=0)

    closed = store.amend_job(job.key, closing, lambda record: job_event(record, now))
    if closed is not None:
        events.closed(closed[0])
    return closed


def unsettled(job: JobRecord, store: Store, objects: ObjectStore) -> list[ObjectInfo]:
    """What counts of a job's output directory and is not in the books.

    Final files count; incremental ones, which repeat their rows, only where the job ended without any.

    Raises:
        NoOutputError: The job should have output, and nothing of it is there or in the books.
    """
    found: list[ObjectInfo] = []
    settled: dict[str, int] = {}
    if job.seen.output_directory is not None:
        bucket, prefix = split_uri(job.seen.output_directory)
        settled = {output.uri: output.generation for output in store.get_outputs(job.key)}
        listed = list(objects.list(bucket, f"{prefix}/"))
        found = [info for info in listed if is_final_output(info.name)]
        if not any(kind_of(info.name) is OutputKind.RESULTS for info in found):
            found += [info for info in listed if is_incremental_output(info.name)]
        found = [info for info in found if settled.get(f"gs://{bucket}/{info.name}", -1) < info.generation]
    # Jobs that failed, expired or were cancelled before any output name no directory.
    if not found and not settled and job.seen.state in _WITH_OUTPUT:
        raise NoOutputError(job.seen.output_directory or "no output directory")
    return found
