"""Make and parse opaque page tokens for lists of jobs."""

import base64
import binascii
from datetime import UTC, datetime

import msgspec

from batch_gateway.core.jobs.record import JobKey, parse_name
from batch_gateway.gateway.http import params


class _Position(msgspec.Struct, array_like=True):
    time: datetime
    project: str
    location: str
    job_id: str


def encode(time: datetime, key: JobKey) -> str:
    """Return the token of the page that begins after a job."""
    at = _Position(time, key.project, key.location, key.job_id)
    return base64.urlsafe_b64encode(msgspec.json.encode(at)).decode().rstrip("=")


def decode(page: str | None) -> tuple[datetime, JobKey] | None:
    """Return the creation time and key of the previous page's last job; None for the first page.

    Raises:
        ApiError: The token was not made by this module.
    """
    if not page:
        return None
    try:
        padded = page + "=" * (-len(page) % 4)
        at = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=_Position)
        key, time = JobKey(at.project, at.location, at.job_id), at.time.astimezone(UTC)
    except (ValueError, OverflowError, binascii.Error, msgspec.DecodeError) as error:
        raise params.invalid("page: pass next_page of the previous answer unchanged") from error
    if at.time.tzinfo is None or parse_name(key.path) is None:
        raise params.invalid("page: pass next_page of the previous answer unchanged")
    return time, key
