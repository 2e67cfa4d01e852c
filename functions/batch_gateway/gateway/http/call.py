"""A request that was let in."""

from typing import NamedTuple

from werkzeug.wrappers import Request

from batch_gateway.core.access.callers import Caller
from batch_gateway.core.jobs.record import JobKey


class Call(NamedTuple):
    """A call for a project and location that are served.

    Attributes:
        request: As it came.
        caller: Who calls.
        version: ``v1`` or ``v1beta1``.
        project: Id of the project, as configured.
        location: Location.
        path: What Vertex AI is asked, from the version on, with the project as the caller wrote it.
        job_id: Id of the job that the call is for; empty if it is for none.
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
        """The job that the call is for."""
        return JobKey(self.project, self.location, self.job_id)
