"""Send events to the webhook of their key, and to the Pub/Sub topic.

An event is written in the same batch as the change that it reports, so it cannot be lost afterwards::

    closing: job + event, atomic -> notify: first attempt, at once -> amend
                                       | crash: the lease ends
                                       v
    sweep: claim (a new lease) -> the attempts that are due -> amend: done, or next attempt, or abandoned

An event that was sent but not amended is sent again: delivery is at least once, and receivers recognize
repetitions by the id.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

import msgspec

from batch_gateway.core.notify.event_names import EventName
from batch_gateway.core.notify.events import Event, after_attempt
from batch_gateway.core.notify.retries import Delivery, finish, is_too_old, read_retry_after, retry_or_abandon
from batch_gateway.core.notify.webhook_security import signed_headers
from batch_gateway.logs import Severity, log
from batch_gateway.ports import (
    Endpoints,
    Outbox,
    Receivers,
    StoreUnavailableError,
    Topic,
    UnreachableError,
    Unreadable,
)

_BATCH = 50
_WORKERS = 8
_MOST_WEBHOOK_SECONDS = 10.0
"""Time for one webhook in one call; a slow one has the rest of its events left to the next call."""
_SUCCESSES = range(200, 300)
_GONE, _TOO_MANY, _SERVER_ERROR = 410, 429, 500
_OUTCOMES: dict[str, tuple[Severity, str]] = {
    "delivered": ("INFO", "delivered"),
    "due": ("WARNING", "failed"),
    "abandoned": ("ERROR", "abandoned"),
}

Channel = Literal["webhook", "pubsub"]
_EVENTS: dict[tuple[Channel, str], EventName] = {
    ("webhook", "delivered"): "webhook.delivered",
    ("webhook", "failed"): "webhook.failed",
    ("webhook", "abandoned"): "webhook.abandoned",
    ("pubsub", "delivered"): "pubsub.delivered",
    ("pubsub", "failed"): "pubsub.failed",
    ("pubsub", "abandoned"): "pubsub.abandoned",
}


@dataclass(frozen=True, kw_only=True)
class NotifyDeps:
    """The ports that sending events needs.

    Attributes:
        outbox: Events that are not delivered yet.
        endpoints: Webhooks of keys.
        receivers: Sends a webhook's request.
        topic: The Pub/Sub topic; None if events go to webhooks only.
        clock: Returns monotonic seconds, for deadlines.
        now: Returns the current time, in UTC.
    """

    outbox: Outbox
    endpoints: Endpoints
    receivers: Receivers
    topic: Topic | None
    clock: Callable[[], float]
    now: Callable[[], datetime]


class DeliveryReport(msgspec.Struct, rename="camel"):
    """The results of one call's attempts, webhooks and topic together.

    Attributes:
        delivered: Deliveries that the receiver accepted.
        failed: Deliveries that will be tried again.
        abandoned: Deliveries that will not be tried again.
        problems: Failures on our side, such as of Firestore; left to the next call.
        complete: Whether all due events were attempted.
    """

    delivered: int = 0
    failed: int = 0
    abandoned: int = 0
    problems: list[str] = []
    complete: bool = True


def has_receiver(key_id: str | None, deps: NotifyDeps) -> bool:
    """Return whether events about a key's jobs have a receiver: the topic, or the key's webhook."""
    return deps.topic is not None or (key_id is not None and deps.endpoints.endpoint_of(key_id) is not None)


def notify(event: Event, deps: NotifyDeps) -> None:
    """Make the first attempt to deliver a new event. Never raises: the sweep retries."""
    notify_all([event], deps)


def notify_all(events: Iterable[Event], deps: NotifyDeps) -> None:
    """Do the same for several events; a receiver that does not answer is tried only once."""
    run = _DeliveryRun(deps)
    for event in events:
        try:
            run.deliver(event)
        except Exception as error:  # noqa: BLE001 - the change is saved, and the outbox has the event
            run.defer(event, error)


def deliver_due(deps: NotifyDeps, now: datetime, until: float, fresh: Iterable[Event] = ()) -> DeliveryReport:
    """Make the attempts that are due.

    Events of one key are sent in sequence, those of different keys in parallel: a receiver that does not
    answer delays only its own events, and is tried only once a call; a slow one has ten seconds.

    Args:
        deps: The ports.
        now: The current time; events that become due later are left to the next call.
        until: Time on ``deps.clock`` after which no event is begun. The last ones may take 25 s more.
        fresh: Events that the caller has just written, instead of a ``notify`` for each.

    Raises:
        StoreUnavailableError: The outbox cannot be reached; the next call continues.
    """
    run = _DeliveryRun(deps, until)
    with ThreadPoolExecutor(_WORKERS, "notify") as pool:
        list(pool.map(run.deliver_all, _by_key(fresh)))
        while deps.clock() < until:
            claimed = deps.outbox.claim_events(now, _BATCH)
            list(pool.map(run.deliver_all, _by_key(run.skip_unreadable(claimed))))
            if len(claimed) < _BATCH:
                return run.done
    run.done.complete = False
    return run.done


def _by_key(events: Iterable[Event]) -> list[list[Event]]:
    by_key: dict[str | None, list[Event]] = defaultdict(list)
    for event in events:
        by_key[event.key_id].append(event)
    # Events without a key have no webhook that could delay the next one.
    return [[event] for event in by_key.pop(None, [])] + list(by_key.values())


class _Result(NamedTuple):
    """The result of one attempt.

    Attributes:
        state: New state of the delivery; ``due`` means that the attempt failed.
        problem: Reason of a failure.
        status: HTTP status of the receiver's answer, if there was one.
        host: Host of the receiver; the rest of a URL may be secret.
        wait: Time that the receiver asked us to wait.
        down: Whether the next event would fail in the same way.
        tried: Number of attempts: 1, or 0 if there was none.
    """

    state: Literal["due", "delivered", "abandoned", "unwanted"]
    problem: str = ""
    status: int | None = None
    host: str | None = None
    wait: timedelta = timedelta(0)
    down: bool = False
    tried: int = 1


class _DeliveryRun:
    """The attempts of one call, shared by the threads that make them."""

    def __init__(self, deps: NotifyDeps, until: float | None = None) -> None:
        self.deps = deps
        self.done = DeliveryReport()
        self._until = until
        self._lock = Lock()
        self._down: set[tuple[Channel, str | None]] = set()
        self._spent: dict[str | None, float] = defaultdict(float)

    def skip_unreadable(self, claimed: Iterable[Event | Unreadable]) -> Iterator[Event]:
        """Yield the events that can be read, and report the others."""
        for each in claimed:
            if isinstance(each, Unreadable):
                self.done.problems.append(f"{each.name}: {each.problem}")
                log("ERROR", "event unreadable", event="notify.failed", id=each.name, error=each.problem)
            else:
                yield each

    def deliver_all(self, events: Iterable[Event]) -> None:
        """Deliver the events of one key."""
        for event in events:
            if self._until is not None and self.deps.clock() >= self._until:
                self.done.complete = False
                return
            try:
                self.deliver(event)
            except StoreUnavailableError as error:
                self.defer(event, error)

    def deliver(self, event: Event) -> None:
        """Make the due attempts for an event, and save their results."""
        now = self.deps.now()
        webhook = self._attempt("webhook", event, event.webhook, now)
        topic = self._attempt("pubsub", event, event.topic, now)
        if (webhook, topic) == (event.webhook, event.topic):
            return

        def change(record: Event) -> Event:
            # If this took longer than the lease, another call may have tried as well: a success wins.
            return after_attempt(record, now, _merge(record.webhook, webhook), _merge(record.topic, topic))

        self.deps.outbox.amend_event(event.id, change)

    def _attempt(self, channel: Channel, event: Event, delivery: Delivery, now: datetime) -> Delivery:
        if not delivery.is_due(now):
            return delivery
        receiver = (channel, event.key_id if channel == "webhook" else None)
        if receiver in self._down:
            # The next call tries it, once the lease has ended.
            if not is_too_old(event.time, now):
                return delivery
            result = _Result("abandoned", "it became too old while its receiver was down", tried=0)
        else:
            begun = self.deps.clock()
            try:
                result = self._to_webhook(event, now) if channel == "webhook" else self._to_topic(event)
            except StoreUnavailableError as error:
                self.defer(event, error)
                return delivery
            except Exception as error:  # noqa: BLE001 - a failure of one channel must not lose the result of the other
                result = _Result("due", type(error).__name__)
            if channel == "webhook":
                self._spent[event.key_id] += self.deps.clock() - begun
        if result.down or (channel == "webhook" and self._spent[event.key_id] > _MOST_WEBHOOK_SECONDS):
            self._down.add(receiver)
        if result.state == "due":
            delivery = retry_or_abandon(event.id, event.time, delivery, now, result.wait)
        else:
            delivery = finish(delivery, result.state, result.tried)
        if delivery.state != "unwanted":
            self._log_attempt(channel, event, delivery, result)
        return delivery

    def _to_webhook(self, event: Event, now: datetime) -> _Result:
        endpoint = self.deps.endpoints.endpoint_of(event.key_id) if event.key_id else None
        if endpoint is None or event.key_id is None:
            return _Result("unwanted", tried=0)
        host = urlsplit(endpoint.url).hostname
        try:
            headers = signed_headers(endpoint.secret, event.id, now, event.body)
            reply = self.deps.receivers.post(endpoint.url, headers, event.body)
        except UnreachableError as error:
            return _Result("due", str(error), host=host, down=True)
        except ValueError as error:  # an invalid URL or secret, which its owner may correct
            return _Result("due", str(error), host=host)
        status = reply.status
        if status in _SUCCESSES:
            return _Result("delivered", status=status, host=host)
        if status == _GONE:
            self.deps.endpoints.disable_endpoint(event.key_id, endpoint.url)
            log("WARNING", "webhook disabled", event="webhook.disabled", key_id=event.key_id, host=host)
            return _Result("abandoned", "the receiver wants no more events", status, host)
        wait = read_retry_after(reply.retry_after, now)
        down = status == _TOO_MANY or status >= _SERVER_ERROR
        return _Result("due", "the receiver refused it", status, host, wait, down)

    def _to_topic(self, event: Event) -> _Result:
        if self.deps.topic is None:
            return _Result("unwanted", tried=0)
        attributes = {"id": event.id, "type": event.type, "team": event.team or "", "model": event.model}
        try:
            self.deps.topic.publish(event.body, attributes)
        except UnreachableError as error:
            return _Result("due", str(error), down=True)
        return _Result("delivered")

    def defer(self, event: Event, error: Exception) -> None:
        """Leave an event to the next call; it is due again when its lease ends."""
        with self._lock:
            self.done.problems.append(f"{event.id}: {error}")
        kind = type(error).__name__
        log("WARNING", "event left to the next sweep", event="notify.failed", id=event.id, error=kind)

    def _log_attempt(self, channel: Channel, event: Event, delivery: Delivery, result: _Result) -> None:
        severity, outcome = _OUTCOMES[delivery.state]
        with self._lock:
            setattr(self.done, outcome, getattr(self.done, outcome) + 1)
        log(
            severity,
            f"event {outcome}",
            event=_EVENTS[channel, outcome],
            id=event.id,
            type=event.type,
            key_id=event.key_id,
            team=event.team,
            host=result.host,
            status=result.status,
            problem=result.problem or None,
            attempts=delivery.attempts,
            next_attempt=delivery.next_attempt,
        )


def _merge(recorded: Delivery, made: Delivery) -> Delivery:
    """Merge two views of a delivery: a finished one wins, else the one with more attempts."""
    if recorded.state == "delivered" or made.state == "delivered":
        return made if made.state == "delivered" else recorded
    return max(recorded, made, key=lambda each: (each.next_attempt is None, each.attempts))
