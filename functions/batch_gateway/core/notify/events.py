"""Build the events of ended jobs and exceeded budgets.

The form is the payload that Standard Webhooks 1.0.0 recommends: ``{"type", "timestamp", "data"}``. An event
is kept until it has arrived, at the webhook of its key and at the topic, each on its own schedule
(``retries``).
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from batch_gateway.core.accounting.budgets import BudgetBalance, OwnedBudget, Window
from batch_gateway.core.jobs.cost_answers import CostReport
from batch_gateway.core.jobs.cost_report import cost_report
from batch_gateway.core.jobs.record import JobRecord
from batch_gateway.core.notify.event_names import BudgetEvent, EndEvent, SentEvent
from batch_gateway.core.notify.retries import Delivery
from batch_gateway.core.pricing.money import format_nano

TYPE_OF_STATE: Mapping[str, EndEvent] = {
    "JOB_STATE_SUCCEEDED": "batch.completed",
    "JOB_STATE_PARTIALLY_SUCCEEDED": "batch.completed",
    "JOB_STATE_FAILED": "batch.failed",
    "JOB_STATE_CANCELLED": "batch.cancelled",
    "JOB_STATE_EXPIRED": "batch.expired",
}
COST_UPDATED: Final = "batch.cost_updated"
"""Event of a job whose cost became final, or changed, after the event of its end."""
OVERRUN: Final = "budget.overrun"
PRICE_MISSING: Final = "price.missing"
URI_NOT_ALLOWED: Final = "batch.uri_not_allowed"
"""Event of a job whose rows named a file outside its key's prefixes."""

LEASE = timedelta(minutes=2)
"""Time for which a claimed event is reserved for its sender: longer than a sweep and one last attempt."""
_KEPT = timedelta(days=30)


class Event(msgspec.Struct, frozen=True, rename="camel"):
    """An event to be delivered.

    Attributes:
        id: Derived from what happened, so that noting it twice has no effect; without a full stop.
        type: ``batch.completed`` and the like.
        time: When it happened.
        body: The JSON, byte for byte, so that every attempt sends the same.
        key_id: Id of the key whose webhook receives it; None for no webhook.
        team: Team that it concerns; None if there is none.
        model: Short name of the model that it concerns; empty if there is none.
        next_attempt: When the next delivery is due; None once both are done.
        webhook: Delivery to the key's webhook.
        topic: Delivery to the topic.
        expires: When it may be deleted; None for never.
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


def is_update(job: JobRecord) -> bool:
    """Return True if the event of a job's end was sent before the one that is due now."""
    return job.reopened > 0 or (job.announced and job.closed)


def job_event(job: JobRecord, now: datetime) -> Event | None:
    """Return the event of a job's end, or of its cost after that; None if it was never seen to end.

    A job has one event of its end. When it is closed later, or again, the event reports its cost: a receiver
    that counts the events of ends as jobs must not count it twice.

    Args:
        job: The record once it is announced or closed.
        now: The time. Whoever writes the event has until LEASE later for the first attempt.
    """
    kind: SentEvent | None = TYPE_OF_STATE.get(job.seen.state)
    if kind is None:
        return None
    report = cost_report(job, ())
    data = {
        **_about(report),
        "cost": _cost(report),
        "rows": report.rows,
        "usage": report.usage,
        "createTime": _utc(job.seen.create_time or job.create_time),
        "startTime": _utc(job.seen.start_time),
        "endTime": _utc(job.seen.end_time),
        "error": job.seen.error,
    }
    about: tuple[str, ...] = (job.key.path,)
    if is_update(job):
        kind, about = COST_UPDATED, (*about, str(job.reopened))
    return _event(kind, about, data, now, key_id=job.key_id, team=job.team, model=report.model)


def budget_event(
    kind: BudgetEvent,
    budget: OwnedBudget,
    balance: BudgetBalance,
    window: Window,
    now: datetime,
    *,
    key_id: str | None,
    team: str | None,
) -> Event:
    """Return the event of a budget whose soft or hard limit is exceeded: one per window.

    Args:
        kind: The limit that is exceeded.
        budget: The budget.
        balance: The amounts spent and reserved in the window.
        window: The window.
        now: The time.
        key_id: Id of the key whose webhook receives it; None for no webhook.
        team: The team of that key, or the one whose budget it is.
    """
    data = {
        "owner": budget.owner,
        "currency": "USD",
        "maxBudget": _usd(budget.max_nano),
        "softBudget": _usd(budget.soft_nano),
        "budgetDuration": budget.duration,
        "spent": _usd(balance.spent_nano),
        "reserved": _usd(balance.reserved_nano),
        "windowStart": _utc(window.start),
        "windowReset": _utc(window.reset),
    }
    event = _event(kind, (budget.owner, *window.periods), data, now, key_id=key_id, team=team, model="")
    # It is not sent again while it is on record.
    expires = max(now + _KEPT, window.reset) if window.reset else None
    return msgspec.structs.replace(event, expires=expires)


def overrun_event(job: JobRecord, now: datetime) -> Event:
    """Return the event of a job that cost more than was reserved for it: one for each job.

    Args:
        job: The job that has overrun.
        now: The time.
    """
    report = cost_report(job, ())
    bounds = job.estimate
    data = {
        **_about(report),
        "cost": _cost(report),
        "reserved": _usd(bounds.high_nano if bounds else None),
        "weighed": bounds.weighed if bounds else None,
    }
    return _event(OVERRUN, (job.key.path,), data, now, key_id=job.key_id, team=job.team, model=report.model)


def missing_price_event(
    model: str, job: JobRecord, terms: dict[str, Any] | None, command: str | None, now: datetime
) -> Event:
    """Return the event of a model that has no price: one for each model, location and UTC day.

    Args:
        model: The model as it is named in line items.
        job: The job that used it.
        terms: The body of ``PUT /v1/prices/{model}``, in which the rates are to be filled in; None if it
            cannot have a price.
        command: The command that sends it; None likewise.
        now: The time.
    """
    data = {
        "model": model,
        "name": job.seen.name,
        "team": job.team,
        "apiKey": job.api_key,
        "terms": terms,
        "command": command,
    }
    about = (model, job.key.location, now.astimezone(UTC).date().isoformat())
    return _event(PRICE_MISSING, about, data, now, key_id=job.key_id, team=job.team, model=model)


def row_uri_event(job: JobRecord, uri: str, output: str, now: datetime) -> Event:
    """Return the event of a job whose rows name a file that its key may not read: one for each job.

    Args:
        job: The job.
        uri: The first such URI that was found.
        output: The output whose rows repeat it.
        now: The time.
    """
    report = cost_report(job, ())
    data = {
        **_about(report),
        "uri": uri,
        "output": output,
    }
    return _event(
        URI_NOT_ALLOWED,
        (job.key.path,),
        data,
        now,
        key_id=job.key_id,
        team=job.team,
        model=report.model,
    )


def _about(report: CostReport) -> dict[str, Any]:
    return {
        "name": report.name,
        "state": report.state,
        "model": report.model,
        "team": report.team,
        "apiKey": report.api_key,
        "labels": report.labels,
    }


def _cost(report: CostReport) -> dict[str, Any]:
    return {"amount": report.amount, "currency": report.currency, "complete": report.complete}


def _event(
    kind: SentEvent,
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


def after_attempt(event: Event, now: datetime, webhook: Delivery, topic: Delivery) -> Event:
    """Return an event after its deliveries were attempted; its next attempt is the first that is due.

    A delivery that was due but not attempted waits until the sender's lease has ended.
    """
    times = [each.next_attempt for each in (webhook, topic) if each.next_attempt is not None]
    first = min(times) if times else None
    if first is not None and first <= now:
        first = now + LEASE
    return msgspec.structs.replace(event, webhook=webhook, topic=topic, next_attempt=first)
