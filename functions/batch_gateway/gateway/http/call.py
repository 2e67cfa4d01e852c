"""Define the authenticated call for a project and location."""

from typing import NamedTuple

from werkzeug.wrappers import Request

from batch_gateway.core.access.callers import Caller
from batch_gateway.core.jobs.record import JobKey


class Call(NamedTuple):
    """A call to a project and location that the gateway serves and the caller may use.

    Attributes:
        request: The request as it came.
        caller: The authenticated caller.
        version: ``v1`` or ``v1beta1``.
        project: Id of the project, as configured.
        location: Location.
        path: Path of the request to Vertex AI, from the version on, with the project as the caller wrote it.
        job_id: Id of the job in the path; empty if there is none.
    """

    request: Request
    caller: Caller
    version: str
    project: str
    location: str
    path: str
    job_id: str = ""

    @property
    def key(self) -> JobKey:
        """Return the key of the job in the path."""
        return JobKey(self.project, self.location, self.job_id)
