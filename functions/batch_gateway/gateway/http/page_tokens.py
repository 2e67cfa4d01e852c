"""Make and parse opaque page tokens: for lists of jobs, and for the time buckets of costs."""

import base64
import binascii
from datetime import UTC, datetime

import msgspec

from batch_gateway.core.errors import ApiError
from batch_gateway.core.jobs.record import JobKey, parse_name
from batch_gateway.gateway.http import params


class _Position(msgspec.Struct, array_like=True):
    time: datetime
    project: str
    location: str
    job_id: str


def encode_job(time: datetime, key: JobKey) -> str:
    """Return the token of the page that begins after a job."""
    at = _Position(time, key.project, key.location, key.job_id)
    return _opaque(msgspec.json.encode(at))


def decode_job(page: str | None) -> tuple[datetime, JobKey] | None:
    """Return the creation time and key of the previous page's last job; None for the first page.

    Raises:
        ApiError: The token was not made by this module.
    """
    if not page:
        return None
    try:
        at = msgspec.json.decode(_plain(page), type=_Position)
        key, time = JobKey(at.project, at.location, at.job_id), at.time.astimezone(UTC)
    except (ValueError, OverflowError, binascii.Error, msgspec.DecodeError) as error:
        raise _changed() from error
    if at.time.tzinfo is None or parse_name(key.path) is None:
        raise _changed()
    return time, key


def encode_time(start: datetime) -> str:
    """Return the token of the page that begins at a time, to the second."""
    return _opaque(b"%d" % start.timestamp())


def decode_time(page: str) -> datetime:
    """Return the time at which a page begins.

    Raises:
        ApiError: The token was not made by this module.
    """
    try:
        return datetime.fromtimestamp(int(_plain(page)), UTC)
    except (ValueError, binascii.Error, OverflowError, OSError) as error:
        raise _changed() from error


def _opaque(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _plain(page: str) -> bytes:
    return base64.urlsafe_b64decode(page + "=" * (-len(page) % 4))


def _changed() -> ApiError:
    return params.invalid(
        "page: pass next_page of the previous answer unchanged, with the same other parameters"
    )
