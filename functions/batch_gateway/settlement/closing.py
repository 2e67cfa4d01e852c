"""When a job's cost is final."""

from batch_gateway.core.jobs import JobRecord
from batch_gateway.core.outputs import is_final_output, split_uri
from batch_gateway.ports import ObjectStore, Store

_WITH_OUTPUT = frozenset({"JOB_STATE_SUCCEEDED", "JOB_STATE_PARTIALLY_SUCCEEDED"})


def close_if_settled(job: JobRecord, store: Store, objects: ObjectStore) -> None:
    """Marks a job as closed if it has ended and every final output in its directory is in the books.

    The directory is listed only after the end was seen: nothing is written to it any more.
    """
    if not job.closed and job.seen.terminal and _settled(job, store, objects):
        store.close_job(job.key)


def _settled(job: JobRecord, store: Store, objects: ObjectStore) -> bool:
    directory = job.seen.output_directory
    if directory is None:
        # Jobs that failed, expired or were cancelled before any output name no directory. One that
        # succeeded without has its output elsewhere (BigQuery).
        return job.seen.state not in _WITH_OUTPUT
    bucket, prefix = split_uri(directory)
    settled = {output.uri: output.generation for output in store.get_outputs(job.key)}
    found = [info for info in objects.list(bucket, f"{prefix}/") if is_final_output(info.name)]
    if not found and not settled:
        return job.seen.state not in _WITH_OUTPUT
    return all(settled.get(f"gs://{bucket}/{info.name}", -1) >= info.generation for info in found)
