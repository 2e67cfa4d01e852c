"""When a job's cost is final."""

import msgspec

from batch_gateway import events
from batch_gateway.core.jobs import JobRecord
from batch_gateway.core.outputs import is_final_output, is_incremental_output, split_uri
from batch_gateway.ports import ObjectInfo, ObjectStore, Store

_WITH_OUTPUT = frozenset({"JOB_STATE_SUCCEEDED", "JOB_STATE_PARTIALLY_SUCCEEDED"})


class NoOutputError(Exception):
    """A job that should have output has none that can be seen (yet)."""


def close_if_settled(job: JobRecord, store: Store, objects: ObjectStore) -> None:
    """Marks a job as closed if it has ended and every output in its directory is in the books.

    The directory is listed only after the end was seen: nothing is written to it any more.
    """
    if job.closed or not job.ended or job.seen.output_table:
        return
    try:
        missing = unsettled(job, store, objects)
    except NoOutputError:
        return
    if not missing:
        close(job, store)


def close(job: JobRecord, store: Store) -> bool:
    """Marks a job as closed, and says so once; whether it was not closed before."""

    def closing(record: JobRecord) -> JobRecord | None:
        return None if record.closed else msgspec.structs.replace(record, closed=True, reserved_nano=0)

    closed = store.amend_job(job.key, closing)
    if closed is not None:
        events.closed(closed)
    return closed is not None


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
        found = [info for info in listed if is_final_output(info.name)] or [
            info for info in listed if is_incremental_output(info.name)
        ]
        found = [info for info in found if settled.get(f"gs://{bucket}/{info.name}", -1) < info.generation]
    # Jobs that failed, expired or were cancelled before any output name no directory.
    if not found and not settled and job.seen.state in _WITH_OUTPUT:
        raise NoOutputError(job.seen.output_directory or "no output directory")
    return found
