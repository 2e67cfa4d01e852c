"""Find the objects or the table that hold what a job wrote."""

from collections.abc import Sequence
from typing import NamedTuple

from batch_gateway.core.accounting.settlement import Output
from batch_gateway.core.errors import ApiError
from batch_gateway.core.jobs.output_names import OutputKind, is_incremental_output, kind_of, split_uri
from batch_gateway.core.jobs.record import WITH_OUTPUT_STATES, JobRecord
from batch_gateway.ports import JobStore, ObjectInfo, ObjectStore, TableInfo, Tables
from batch_gateway.settlement.bigquery_output import is_older
from batch_gateway.settlement.closing import list_output


class Objects(NamedTuple):
    """Objects of one bucket, in the order in which they are read: results first, then errors, by name."""

    bucket: str
    infos: list[ObjectInfo]


def find_objects(job: JobRecord, outputs: Sequence[Output], store: JobStore, objects: ObjectStore) -> Objects:
    """Find the objects that count for a job's cost: the final ones, or incremental ones while there are none.

    They are in the directory that Vertex AI made for the job and reported, which no caller can choose.

    Args:
        job: The job.
        outputs: Its settled outputs.
        store: Tells if another job is on record with the same directory.
        objects: Cloud Storage.

    Raises:
        ApiError: There are none (yet), some are gone, or the directory is not the job's own.
    """
    directory = job.seen.output_directory
    if directory is None:
        raise _not_there(job)
    _check_directory(job, directory, store)
    bucket, _ = split_uri(directory)
    found = list_output(job, objects)
    if any(kind_of(info.name) is OutputKind.RESULTS for info in found):
        found = [info for info in found if not is_incremental_output(info.name)]
        outputs = [output for output in outputs if not is_incremental_output(output.uri)]
    live = {f"gs://{bucket}/{info.name}" for info in found}
    lost = [output.uri for output in outputs if not output.superseded and output.uri not in live]
    if lost or (not found and job.seen.state in WITH_OUTPUT_STATES):
        raise gone(lost[0] if lost else directory)
    if not found:
        raise _not_there(job)
    return Objects(
        bucket, sorted(found, key=lambda info: (kind_of(info.name) is OutputKind.ERRORS, info.name))
    )


def _check_directory(job: JobRecord, directory: str, store: JobStore) -> None:
    prefix = job.seen.output_prefix
    claims = [(other.create_time, other.key) for other in store.jobs_by_directory(directory)]
    owner = min(claims)[1] if claims else job.key
    if (prefix and not directory.startswith(f"{prefix}/")) or owner != job.key:
        raise _not_own(f"the directory {directory}")


def find_table(job: JobRecord, uri: str, tables: Tables) -> TableInfo:
    """Find the table that a job wrote.

    Unlike a directory, a table may be named by the caller. So it counts only if Vertex AI has written output
    of the job, and only if the table did not exist before the job: otherwise its rows may be another's.

    Raises:
        ApiError: There is none (yet), it is gone, or it is not the job's own.
    """
    completion = job.seen.completion
    if job.seen.state not in WITH_OUTPUT_STATES and not (job.ended and completion and completion.successful):
        raise _not_there(job)
    table = tables.stat(uri)
    if table is None:
        raise gone(uri)
    if is_older(table, job):
        raise _not_own(f"the table {uri}")
    return table


def gone(uri: str) -> ApiError:
    """Return the error for output that was deleted."""
    return ApiError(
        "NOT_FOUND",
        "OUTPUT_GONE",
        f"The job's output is no longer whole: {uri} was deleted or overwritten. Its cost stays on record. "
        "Run the job again, or restore the output if its bucket or dataset keeps deleted data.",
        metadata={"uri": uri},
    )


def _not_there(job: JobRecord) -> ApiError:
    state = job.seen.state
    if job.ended:
        problem = (
            f"The job has ended ({state}), and Vertex AI has written no output. Get the job: its error says "
            "why. Output of a job that was cancelled or failed while it ran may still come."
        )
    else:
        problem = f"The job has not written any output yet ({state}). Ask again when it has ended."
    return ApiError("FAILED_PRECONDITION", "OUTPUT_NOT_THERE", problem, metadata={"state": state})


def _not_own(what: str) -> ApiError:
    return ApiError(
        "FAILED_PRECONDITION",
        "OUTPUT_NOT_OWN",
        f"It cannot be told if {what} holds the output of this job alone: it was there before, or belongs to "
        "another job. Read it with an account of your own, and name a new place for the next job's output.",
    )
