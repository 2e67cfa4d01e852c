"""Define creates before they are checked: as a caller sent them, or as a resume makes them."""

from typing import NamedTuple

from batch_gateway.gateway.jobs.job_body import JobBody
from batch_gateway.ports import Resumption


class ResumedJob(NamedTuple):
    """The job that a create resumes.

    Attributes:
        resumption: Its key and name.
        own_uris: URIs in the create that need no grant: the job's output, and the place beside it.
        rows: Number of its rows; None if Vertex AI does not count them.
        inputs: URIs of its own input.
    """

    resumption: Resumption
    own_uris: frozenset[str]
    rows: int | None
    inputs: tuple[str, ...]


class Draft(NamedTuple):
    """A create before it is checked.

    Attributes:
        body: The job.
        identity: Bytes that an Idempotency-Key stands for: what the caller sent.
        resumed: The job that it resumes; None if it resumes none.
    """

    body: JobBody
    identity: bytes
    resumed: ResumedJob | None = None
