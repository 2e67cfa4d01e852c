"""What became of a create: the job in its answer, the job that carries its marker, or that nobody knows."""

from urllib.parse import quote

import msgspec

from batch_gateway.core.errors import ApiError
from batch_gateway.core.jobs.labels import MARKER_LABEL
from batch_gateway.core.jobs.record import Observation, observe, parse_name
from batch_gateway.core.json_io import decode_object
from batch_gateway.gateway.http.call import Call
from batch_gateway.ports import Submission, Upstream, UpstreamResponse, UpstreamUnavailableError

SETTLING_SECONDS = 10
"""How long Vertex AI may still be at work on a create whose answer was lost."""
_OK = 200
_SUCCESSES = range(200, 300)


Answer = tuple[UpstreamResponse, Observation]
"""An answer, and the job that it shows."""


def job_in(sent: bytes, upstream: UpstreamResponse) -> Observation | None:
    """Return the job that a create was answered with; None if the answer is no job.

    What the answer leaves out of it is as it was sent.
    """
    job = decode_object(upstream.body) if upstream.status in _SUCCESSES else None
    if job is None or parse_name(str(job.get("name"))) is None:
        return None  # what was sent must not name it
    return observe({**(decode_object(sent) or {}), **job})


def find_marked(upstream: Upstream, call: Call, sent: bytes, submission: Submission) -> Answer | None:
    """Look for the job that carries a submission's marker; None if there is none.

    Raises:
        ApiError: CREATE_FATE_UNKNOWN: it cannot be known now.
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
        raise unknown(submission, "cannot be asked for the job") from error
    found = decode_object(page.body)
    jobs = found.get("batchPredictionJobs", []) if found is not None else None
    if page.status != _OK or not isinstance(jobs, list):
        raise unknown(submission, "cannot be asked for the job")
    if not jobs:
        return None
    answer = UpstreamResponse(_OK, page.headers, msgspec.json.encode(jobs[0]))
    seen = job_in(sent, answer)
    labels = jobs[0].get("labels") if seen else None
    marked = isinstance(labels, dict) and labels.get(MARKER_LABEL) == submission.marker
    if seen is None or not marked:
        raise unknown(submission, "was asked for the job and answered with something else")
    return answer, seen


def unknown(submission: Submission, problem: str, *, timed_out: bool = False) -> ApiError:
    """Return the error of a create of which nobody knows what became.

    Args:
        submission: The create.
        problem: What Vertex AI did.
        timed_out: It was a time limit that ended the wait.
    """
    advice = (
        "Send the same again with the same Idempotency-Key: it is submitted only if it does not exist."
        if submission.marker
        else "List the jobs by display_name before you submit it again, or use an Idempotency-Key next time."
    )
    return ApiError(
        "DEADLINE_EXCEEDED" if timed_out else "UNAVAILABLE",
        "CREATE_FATE_UNKNOWN",
        f"Vertex AI {problem}, so the job may or may not exist. If it does, the gateway will put it on "
        f"record. {advice}",
        metadata={"submission": submission.id},
        retry_after=SETTLING_SECONDS if submission.marker else None,
    )
