"""Check ids of callers that are about to become part of a host name or a path."""

import re

from batch_gateway.core.errors import ApiError
from batch_gateway.core.jobs.resource_names import is_location, is_project

_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


def check_place(project: str, location: str) -> None:
    """Check the project and location of a path.

    Raises:
        ApiError: INVALID_ARGUMENT: Google has no projects or locations of that form.
    """
    if not is_project(project):
        message = (
            f"{project!r} is neither a project id (6 to 30 lower-case letters, digits and hyphens) nor a "
            "project number."
        )
        raise ApiError("INVALID_ARGUMENT", "PROJECT_INVALID", message)
    if not is_location(location):
        message = f"{location!r} is not a location. Use a region such as us-central1, or global, us or eu."
        raise ApiError("INVALID_ARGUMENT", "LOCATION_INVALID", message)


def check_id(value: str, what: str) -> None:
    """Check the id of a job or an operation.

    Raises:
        ApiError: INVALID_ARGUMENT: It has characters that ids do not have.
    """
    if not _ID.fullmatch(value):
        hint = (
            "Calls that end in a verb, such as :cancel, take POST."
            if ":" in value
            else "Use the last part of its name."
        )
        raise ApiError(
            "INVALID_ARGUMENT",
            "ID_INVALID",
            f"{value!r} is not a valid {what} id. {hint}",
        )
