"""Determine the outcome of a create: the job in its answer, the job with its marker, or an error."""

from urllib.parse import quote

import msgspec

from batch_gateway.core.errors import ApiError
from batch_gateway.core.jobs.labels import MARKER_LABEL
from batch_gateway.core.jobs.record import Observation, observe, parse_name
from batch_gateway.core.json_io import decode_object
from batch_gateway.gateway.http.call import Call
from batch_gateway.ports import Submission, Upstream, UpstreamResponse, UpstreamUnavailableError

SETTLING_SECONDS = 10
"""Seconds for which Vertex AI may still be handling a create whose answer was lost."""
_OK = 200
_SUCCESSES = range(200, 300)

Answer = tuple[UpstreamResponse, Observation]
"""A response, and the job in it."""


def job_in(sent: bytes, upstream: UpstreamResponse) -> Observation | None:
    """Return the job in the answer to a create; None if the answer is not a job.

    Fields that the answer lacks are taken from the body that was sent.
    """
    job = decode_object(upstream.body) if upstream.status in _SUCCESSES else None
    if job is None or parse_name(str(job.get("name"))) is None:
        return None  # the name must come from the answer, not from the body
    return observe({**(decode_object(sent) or {}), **job})


def find_marked(upstream: Upstream, call: Call, sent: bytes, submission: Submission) -> Answer | None:
    """Look for the job that carries a submission's marker; None if there is none.

    Raises:
        ApiError: CREATE_FATE_UNKNOWN: Vertex AI does not answer, or not with a list of jobs.
    """
    wanted = quote(f'labels.{MARKER_LABEL}="{submission.marker}"')
    try:
        page = upstream.send(
            "GET",
            f"/{call.version}/projects/{call.project}/locations/{call.location}/batchPredictionJobs",
            project=call.project,
            location=call.location,
            query=f"filter={wanted}&pageSize=1",
        )
    except UpstreamUnavailableError as error:
        raise unknown(submission, "did not answer when asked for the job") from error
    found = decode_object(page.body)
    jobs = found.get("batchPredictionJobs", []) if found is not None else None
    if page.status != _OK or not isinstance(jobs, list):
        raise unknown(submission, "did not answer with a list of jobs")
    if not jobs:
        return None
    answer = UpstreamResponse(_OK, page.headers, msgspec.json.encode(jobs[0]))
    seen = job_in(sent, answer)
    labels = jobs[0].get("labels") if seen else None
    marked = isinstance(labels, dict) and labels.get(MARKER_LABEL) == submission.marker
    if seen is None or not marked:
        raise unknown(submission, "was asked for the job and returned something else")
    return answer, seen


def unknown(submission: Submission, problem: str, *, timed_out: bool = False) -> ApiError:
    """Return the error for a create that may or may not have made a job.

    Args:
        submission: The create.
        problem: What Vertex AI did, as a predicate: "did not answer the create".
        timed_out: The wait for Vertex AI ended with a time limit.
    """
    advice = (
        "Send it again with the same Idempotency-Key: the job is submitted only if it does not exist."
        if submission.marker
        else "List the jobs by display_name before you submit it again, or use an Idempotency-Key next time."
    )
    return ApiError(
        "DEADLINE_EXCEEDED" if timed_out else "UNAVAILABLE",
        "CREATE_FATE_UNKNOWN",
        f"Vertex AI {problem}, so the job may or may not exist. If it does, the gateway will find and "
        f"track it. {advice}",
        metadata={"submission": submission.id},
        retry_after=SETTLING_SECONDS if submission.marker else None,
    )


def resumed_before(by: str | None) -> ApiError:
    """Return the error for a resume of a job that was resumed before.

    Args:
        by: Name of the job that resumed it; None while that is not known.
    """
    if by is None:
        return ApiError(
            "ABORTED",
            "RESUME_IN_PROGRESS",
            "Another resume of this job is in progress, or got no answer and is being looked for. Try again "
            "in a moment: the job's cost report names the new job as resumedBy once there is one.",
            retry_after=5,
        )
    return ApiError(
        "FAILED_PRECONDITION",
        "JOB_ALREADY_RESUMED",
        f"This job was resumed by {by}, which is running or has succeeded. Use that job; if it ends with "
        "failed rows, resume it instead of this one.",
        metadata={"job": by},
    )


def key_reused() -> ApiError:
    """Return the error for an Idempotency-Key that stands for another create."""
    return ApiError(
        "INVALID_ARGUMENT",
        "IDEMPOTENCY_KEY_REUSED",
        "This Idempotency-Key was used for another body, or with other X-Batch-Labels, within the last 24 "
        "hours. Use a new one for a new job, or send the same request again.",
    )


def in_use() -> ApiError:
    """Return the error for a create whose first try with its Idempotency-Key is in progress."""
    return ApiError(
        "ABORTED",
        "IDEMPOTENCY_KEY_IN_USE",
        "A create with this Idempotency-Key is in progress. Send it again in a moment to get its answer.",
        retry_after=5,
    )


def not_submitted() -> ApiError:
    """Return the error for a create that could not be noted before it was to be sent."""
    return ApiError(
        "UNAVAILABLE",
        "BOOKS_UNAVAILABLE",
        "The job was not submitted: its record could not be written. Try again.",
        retry_after=5,
    )


def not_recorded(name: str, submission: Submission) -> ApiError:
    """Return the error for a job that was made, and could not be recorded."""
    return ApiError(
        "UNAVAILABLE",
        "JOB_NOT_RECORDED",
        f"The job was submitted as {name}, but its record could not be written. The sweep will find it and "
        "track its cost. Do not submit it again.",
        metadata={"job": name, "submission": submission.id},
    )
