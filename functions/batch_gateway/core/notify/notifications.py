"""What goes out when a job has ended or a budget is passed: the event's JSON, and when it is tried again.

The form is the payload that Standard Webhooks 1.0.0 recommends: ``{"type", "timestamp", "data"}``. An event
is kept until it has arrived, at the webhook of its key and at the topic, each with a schedule of its own.
"""

import hashlib
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import msgspec

from batch_gateway.core.accounting.budgets import BudgetBalance, OwnedBudget, Window
from batch_gateway.core.jobs.cost_report import cost_report
from batch_gateway.core.jobs.record import JobRecord
from batch_gateway.core.pricing.money import format_nano

TYPE_OF_STATE: Mapping[str, str] = {
    "JOB_STATE_SUCCEEDED": "batch.completed",
    "JOB_STATE_PARTIALLY_SUCCEEDED": "batch.completed",
    "JOB_STATE_FAILED": "batch.failed",
    "JOB_STATE_CANCELLED": "batch.cancelled",
    "JOB_STATE_EXPIRED": "batch.expired",
}
COST_UPDATED = "batch.cost_updated"
"""The event of a job whose cost became final, or changed, after the event of its end."""
BudgetType = Literal["budget.warning", "budget.exceeded"]
OVERRUN = "budget.overrun"

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
"""After the first attempt, the second and so on: the example schedule of Standard Webhooks 1.0.0."""
_JITTER_PERCENT = 10
_LONGEST_DELAY = _DELAYS[-1]
GIVEN_UP_AFTER = timedelta(days=4)
"""The schedule takes 75 h 35 min and its jitter; a receiver that asks for more time has until then."""
LEASE = timedelta(minutes=2)
"""How long whoever has taken an event on has it to himself: longer than a sweep and one last attempt take."""
_KEPT = timedelta(days=30)


class Delivery(msgspec.Struct, frozen=True, rename="camel"):
    """How far an event has come on one of its ways.

    Attributes:
        state: ``unwanted``: nobody was there to take it when it was first tried.
        attempts: How often it was tried.
        next_attempt: When it is to be tried again; None unless it is due.
    """

    next_attempt: datetime | None
    state: Literal["due", "delivered", "abandoned", "unwanted"] = "due"
    attempts: int = 0

    def is_due(self, now: datetime) -> bool:
        """Whether it is to be tried now."""
        return self.next_attempt is not None and self.next_attempt <= now


class Event(msgspec.Struct, frozen=True, rename="camel"):
    """An event on its way out.

    Attributes:
        id: Made of what happened, so that noting it twice is noting it once; without a full stop.
        type: ``batch.completed`` and the like.
        time: When it happened.
        body: The JSON, kept to the byte so that every attempt sends the same.
        key_id: Of the key whose webhook it goes to; None for none.
        team: Whose it is, if anybody's.
        model: Short name; empty if it is about none.
        next_attempt: When somebody should look at it again; None once nothing is due any more.
        webhook: How far it has come to the key's webhook.
        topic: How far it has come to the topic.
        expires: When it is forgotten; None for never.
    """

    id: str
    type: str
    time: datetime
    body: bytes
    key_id: str | None
    team: str | None
    model: str
    next_attempt: datetime | None
    webhook: Delivery
    topic: Delivery
    expires: datetime | None

    def is_too_old(self, now: datetime) -> bool:
        """Whether no further attempt is worth it."""
        return now - self.time > GIVEN_UP_AFTER


def is_update(job: JobRecord) -> bool:
    """Tell whether the event of a job's end has gone out before the one that is due now."""
    return job.reopened > 0 or (job.announced and job.closed)


def job_event(job: JobRecord, now: datetime) -> Event | None:
    """The event of a job's end, or of its cost after that; None for a job that was never seen to end.

    A job has one event of its end. What is said when it is closed later than that, or once more, is what it
    costs now: whoever takes each event of an end for a job must not take two.

    Args:
        job: As it stands once it is announced or closed.
        now: The time. Whoever writes the event has until LEASE later for the first attempt.
    """
    kind = TYPE_OF_STATE.get(job.seen.state)
    if kind is None:
        return None
    report = cost_report(job, ())
    data = {
        **{name: report[name] for name in ("name", "state", "model", "team", "apiKey", "labels")},
        "cost": {name: report[name] for name in ("amount", "currency", "complete")},
        "rows": report["rows"],
        "usage": report["usage"],
        "createTime": _utc(job.seen.create_time or job.create_time),
        "startTime": _utc(job.seen.start_time),
        "endTime": _utc(job.seen.end_time),
        "error": job.seen.error,
    }
    about: tuple[str, ...] = (job.key.path,)
    if is_update(job):
        kind, about = COST_UPDATED, (*about, str(job.reopened))
    return _event(kind, about, data, now, key_id=job.key_id, team=job.team, model=str(report["model"]))


def budget_event(
    kind: BudgetType,
    limit: OwnedBudget,
    ledger: BudgetBalance,
    window: Window,
    now: datetime,
    *,
    key_id: str | None,
    team: str | None,
) -> Event:
    """The event of a budget's soft or hard limit being passed: one a window.

    Args:
        kind: Which of them.
        limit: The budget.
        ledger: What is spent and reserved in the window.
        window: The window.
        now: The time.
        key_id: Of the key whose webhook shall hear of it; None for none.
        team: The team of that key, or whose budget it is.
    """
    data = {
        "owner": limit.owner,
        "currency": "USD",
        "maxBudget": _usd(limit.max_nano),
        "softBudget": _usd(limit.soft_nano),
        "budgetDuration": limit.duration,
        "spent": _usd(ledger.spent_nano),
        "reserved": _usd(ledger.reserved_nano),
        "windowStart": _utc(window.start),
        "windowReset": _utc(window.reset),
    }
    event = _event(kind, (limit.owner, *window.periods), data, now, key_id=key_id, team=team, model="")
    # For as long as it is known, it is not said again.
    expires = max(now + _KEPT, window.reset) if window.reset else None
    return msgspec.structs.replace(event, expires=expires)


def overrun_event(job: JobRecord, now: datetime) -> Event:
    """The event of a job that cost more than was reserved for it: one for each job.

    Args:
        job: Which has overrun.
        now: The time.
    """
    report = cost_report(job, ())
    bounds = job.estimate
    data = {
        **{name: report[name] for name in ("name", "state", "model", "team", "apiKey", "labels")},
        "cost": {name: report[name] for name in ("amount", "currency", "complete")},
        "reserved": _usd(bounds.high_nano if bounds else None),
        "weighed": bounds.weighed if bounds else None,
    }
    return _event(
        OVERRUN, (job.key.path,), data, now, key_id=job.key_id, team=job.team, model=str(report["model"])
    )


def _event(
    kind: str,
    about: tuple[str, ...],
    data: dict[str, Any],
    now: datetime,
    *,
    key_id: str | None,
    team: str | None,
    model: str,
) -> Event:
    digest = hashlib.sha256("\n".join((kind, *about)).encode()).hexdigest()
    now = now.astimezone(UTC)
    return Event(
        id=f"evt_{digest[:32]}",
        type=kind,
        time=now,
        body=msgspec.json.encode({"type": kind, "timestamp": now, "data": data}),
        key_id=key_id,
        team=team,
        model=model,
        next_attempt=now + LEASE,
        webhook=Delivery(now),
        topic=Delivery(now),
        expires=now + _KEPT,
    )


def _usd(amount_nano: int | None) -> str | None:
    return None if amount_nano is None else format_nano(amount_nano)


def _utc(time: datetime | None) -> datetime | None:
    return time and time.astimezone(UTC)


def finish(
    delivery: Delivery, state: Literal["delivered", "abandoned", "unwanted"], tried: int = 1
) -> Delivery:
    """A delivery that is not tried again; ``tried`` is 0 if that is not for one more attempt."""
    return Delivery(None, state, delivery.attempts + tried)


def retry_or_abandon(
    event: Event, delivery: Delivery, now: datetime, wait: timedelta = timedelta(0)
) -> Delivery:
    """A delivery after one more attempt that failed: tried again later, or abandoned.

    Args:
        event: That it is of.
        delivery: As it stood.
        now: The time.
        wait: How long the receiver asked to be left alone, at least.
    """
    attempts = delivery.attempts + 1
    if attempts > len(_DELAYS) or event.is_too_old(now):
        return finish(delivery, "abandoned")
    delay = _DELAYS[attempts - 1]
    # Made of the id, so that events that failed together do not come again together.
    percent = zlib.crc32(f"{event.id}:{attempts}".encode()) % (_JITTER_PERCENT + 1)
    return Delivery(now + max(delay + delay * percent / 100, min(wait, _LONGEST_DELAY)), "due", attempts)


def after_attempt(event: Event, now: datetime, webhook: Delivery, topic: Delivery) -> Event:
    """An event after a look at it: somebody should look again when the first of what is due is.

    What was due and was not tried waits until the lease of who looked has ended.
    """
    times = [each.next_attempt for each in (webhook, topic) if each.next_attempt is not None]
    first = min(times) if times else None
    if first is not None and first <= now:
        first = now + LEASE
    return msgspec.structs.replace(event, webhook=webhook, topic=topic, next_attempt=first)


def read_retry_after(value: str | None, now: datetime) -> timedelta:
    """How long a Retry-After header asks to wait: seconds or a date (RFC 9110, 10.2.3); nil if it is none."""
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
