"""Schedule the attempts to deliver an event: when to try again, and when to give up."""

import zlib
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal

import msgspec

_DELAYS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""Delays after the first attempt, the second and so on: the example schedule of Standard Webhooks 1.0.0."""
_JITTER_PERCENT = 10
_LONGEST_DELAY = _DELAYS[-1]
GIVEN_UP_AFTER = timedelta(days=4)
"""Age at which an event is abandoned. The schedule takes 75 h 35 min and its jitter; a receiver that asks for
more time has until then."""


class Delivery(msgspec.Struct, frozen=True, rename="camel"):
    """The delivery of an event to its webhook or to the topic.

    Attributes:
        state: ``unwanted``: there was no receiver when it was first tried.
        attempts: Number of attempts.
        next_attempt: Time of the next attempt; None unless it is due.
    """

    next_attempt: datetime | None
    state: Literal["due", "delivered", "abandoned", "unwanted"] = "due"
    attempts: int = 0

    def is_due(self, now: datetime) -> bool:
        """Return True if an attempt is due."""
        return self.next_attempt is not None and self.next_attempt <= now


def is_too_old(event_time: datetime, now: datetime) -> bool:
    """Return True if further attempts to deliver an event are pointless."""
    return now - event_time > GIVEN_UP_AFTER


def finish(
    delivery: Delivery, state: Literal["delivered", "abandoned", "unwanted"], tried: int = 1
) -> Delivery:
    """Return a delivery that is not tried again; ``tried`` is the number of attempts to add, 0 or 1."""
    return Delivery(None, state, delivery.attempts + tried)


def retry_or_abandon(
    event_id: str,
    event_time: datetime,
    delivery: Delivery,
    now: datetime,
    wait: timedelta = timedelta(0),
) -> Delivery:
    """Return a delivery after a further failed attempt: tried again later, or abandoned.

    Args:
        event_id: Id of the event that is delivered.
        event_time: When it happened.
        delivery: The delivery before the attempt.
        now: The time.
        wait: Shortest pause that the receiver asked for.
    """
    attempts = delivery.attempts + 1
    if attempts > len(_DELAYS) or is_too_old(event_time, now):
        return finish(delivery, "abandoned")
    delay = _DELAYS[attempts - 1]
    # Derived from the id, so that events that failed together are not tried again together.
    percent = zlib.crc32(f"{event_id}:{attempts}".encode()) % (_JITTER_PERCENT + 1)
    return Delivery(now + max(delay + delay * percent / 100, min(wait, _LONGEST_DELAY)), "due", attempts)


def read_retry_after(value: str | None, now: datetime) -> timedelta:
    """Return the wait that a Retry-After header asks for: seconds or a date (RFC 9110, 10.2.3); else zero."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), int(_LONGEST_DELAY.total_seconds())))
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return timedelta(0)
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return min(max(date - now, timedelta(0)), _LONGEST_DELAY)
