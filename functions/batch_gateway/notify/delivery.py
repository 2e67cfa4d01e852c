"""Sends events out: to the webhook of their key, and to the topic.

An event is noted in one batch with what it tells of, so nothing that happens from there on loses it::

    closing: job + event, atomic -> notify: first attempt, at once -> amend
                                       | crash: the lease ends
                                       v
    sweep: claim (a new lease) -> the attempts that are due -> amend: done, or when to try again, or given up

Sent and not amended is sent again: events go out at least once, and receivers tell repetitions by the id.
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

from batch_gateway.core.notify.notifications import (
    Delivery,
    Event,
    after_attempt,
    finish,
    read_retry_after,
    retry_or_abandon,
)
from batch_gateway.core.notify.webhooks import signed_headers
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
_SECONDS_A_WEBHOOK = 10.0
"""Of one call: one that answers, but slowly, leaves the rest of its events to the next."""
_SUCCESSES = range(200, 300)
_GONE, _TOO_MANY, _SERVER_ERROR = 410, 429, 500
_OUTCOMES: dict[str, tuple[Severity, str]] = {
    "delivered": ("INFO", "delivered"),
    "due": ("WARNING", "failed"),
    "abandoned": ("ERROR", "abandoned"),
}

Way = Literal["webhook", "pubsub"]


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


class Delivered(msgspec.Struct, rename="camel"):
    """What became of the attempts of one call, webhooks and topic together.

    Attributes:
        delivered: Taken by their receiver.
        failed: To be tried again.
        abandoned: Given up.
        problems: What could not be done for reasons of our own; left for the next call.
        complete: Whether everything that was due had its turn.
    """

    delivered: int = 0
    failed: int = 0
    abandoned: int = 0
    problems: list[str] = []
    complete: bool = True


def has_receiver(key_id: str | None, deps: NotifyDeps) -> bool:
    """Tell whether anybody is told of what happens to a key's jobs: a topic, or the key's webhook."""
    return deps.topic is not None or (key_id is not None and deps.endpoints.endpoint_of(key_id) is not None)


def notify(event: Event, deps: NotifyDeps) -> None:
    """Makes the first attempt for an event that was just noted. Never raises: the sweep does what is left."""
    delivering = _Delivering(deps)
    try:
        delivering.deliver(event)
    except Exception as error:  # noqa: BLE001 - what it tells of is settled, and the outbox has the event
        delivering.leave(event, error)


def deliver_due(deps: NotifyDeps, now: datetime, until: float, fresh: Iterable[Event] = ()) -> Delivered:
    """Makes the attempts that are due.

    Events of one key go one after the other, those of different keys side by side: a receiver that does
    not answer keeps nobody waiting but itself, and is tried only once a call; a slow one has ten seconds.

    Args:
        deps: The outside.
        now: The time; what becomes due later is left to the next call.
        until: No event is begun with after that, on ``deps.clock``. The last ones may take 25 s more.
        fresh: Events that the caller has just noted, in place of a ``notify`` for each.

    Raises:
        StoreUnavailableError: The outbox cannot be reached; the next call does what is left.
    """
    delivering = _Delivering(deps, until)
    with ThreadPoolExecutor(_WORKERS, "notify") as pool:
        list(pool.map(delivering.deliver_all, _by_key(fresh)))
        while deps.clock() < until:
            claimed = deps.outbox.claim_events(now, _BATCH)
            list(pool.map(delivering.deliver_all, _by_key(delivering.readable(claimed))))
            if len(claimed) < _BATCH:
                return delivering.done
    delivering.done.complete = False
    return delivering.done


def _by_key(events: Iterable[Event]) -> list[list[Event]]:
    by_key: dict[str | None, list[Event]] = defaultdict(list)
    for event in events:
        by_key[event.key_id].append(event)
    # What is of no key goes to no receiver that could keep the next one waiting.
    return [[event] for event in by_key.pop(None, [])] + list(by_key.values())


class _Result(NamedTuple):
    """What came of one attempt.

    Attributes:
        state: What it means for the delivery; ``due`` is a failure.
        problem: Why it failed.
        status: What the receiver answered, if it did.
        host: Of the receiver; the rest of a URL may be a secret.
        wait: How long it asked to be left alone.
        down: Whether its next event would fare no better.
        tried: 1; 0 if there was no attempt.
    """

    state: Literal["due", "delivered", "abandoned", "unwanted"]
    problem: str = ""
    status: int | None = None
    host: str | None = None
    wait: timedelta = timedelta(0)
    down: bool = False
    tried: int = 1


class _Delivering:
    """One call's attempts. It is shared by the threads that make them."""

    def __init__(self, deps: NotifyDeps, until: float | None = None) -> None:
        self.deps = deps
        self.done = Delivered()
        self._until = until
        self._lock = Lock()
        self._down: set[tuple[Way, str | None]] = set()
        self._spent: dict[str | None, float] = defaultdict(float)

    def readable(self, claimed: Iterable[Event | Unreadable]) -> Iterator[Event]:
        """Passes over events that cannot be read, and names them."""
        for each in claimed:
            if isinstance(each, Unreadable):
                self.done.problems.append(f"{each.name}: {each.problem}")
                log("ERROR", "event unreadable", event="notify.failed", id=each.name, error=each.problem)
            else:
                yield each

    def deliver_all(self, events: Iterable[Event]) -> None:
        """Delivers the events of one key."""
        for event in events:
            if self._until is not None and self.deps.clock() >= self._until:
                self.done.complete = False
                return
            try:
                self.deliver(event)
            except StoreUnavailableError as error:
                self.leave(event, error)

    def deliver(self, event: Event) -> None:
        """Makes those attempts for an event that are due, and notes what came of them."""
        now = self.deps.now()
        webhook = self._attempt("webhook", event, event.webhook, now)
        topic = self._attempt("pubsub", event, event.topic, now)
        if (webhook, topic) == (event.webhook, event.topic):
            return

        def change(record: Event) -> Event:
            # Somebody else has been at it too, if this took longer than the lease: what arrived has arrived.
            return after_attempt(record, now, _merged(record.webhook, webhook), _merged(record.topic, topic))

        self.deps.outbox.amend_event(event.id, change)

    def _attempt(self, way: Way, event: Event, delivery: Delivery, now: datetime) -> Delivery:
        if not delivery.is_due(now):
            return delivery
        receiver = (way, event.key_id if way == "webhook" else None)
        if receiver in self._down:
            # Its turn comes with the next call, once the lease has ended.
            if not event.is_too_old(now):
                return delivery
            result = _Result("abandoned", "there was no time left for it", tried=0)
        else:
            begun = self.deps.clock()
            try:
                result = self._to_webhook(event, now) if way == "webhook" else self._to_topic(event)
            except StoreUnavailableError as error:
                self.leave(event, error)
                return delivery
            except Exception as error:  # noqa: BLE001 - one way's mistake must not undo what the other one did
                result = _Result("due", type(error).__name__)
            if way == "webhook":
                self._spent[event.key_id] += self.deps.clock() - begun
        if result.down or (way == "webhook" and self._spent[event.key_id] > _SECONDS_A_WEBHOOK):
            self._down.add(receiver)
        if result.state == "due":
            delivery = retry_or_abandon(event, delivery, now, result.wait)
        else:
            delivery = finish(delivery, result.state, result.tried)
        if delivery.state != "unwanted":
            self._tell(way, event, delivery, result)
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
        except ValueError as error:  # a URL or a secret that is no good, which its owner may put right
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

    def leave(self, event: Event, error: Exception) -> None:
        """Leaves an event to the next call: nothing is lost, it is due again when its lease ends."""
        with self._lock:
            self.done.problems.append(f"{event.id}: {error}")
        kind = type(error).__name__
        log("WARNING", "event left to the next sweep", event="notify.failed", id=event.id, error=kind)

    def _tell(self, way: Way, event: Event, delivery: Delivery, result: _Result) -> None:
        severity, outcome = _OUTCOMES[delivery.state]
        with self._lock:
            setattr(self.done, outcome, getattr(self.done, outcome) + 1)
        log(
            severity,
            f"event {outcome}",
            event=f"{way}.{outcome}",
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


def _merged(recorded: Delivery, made: Delivery) -> Delivery:
    """Of two accounts of one delivery the one that is over, else the one with more attempts."""
    if recorded.state == "delivered" or made.state == "delivered":
        return made if made.state == "delivered" else recorded
    return max(recorded, made, key=lambda each: (each.next_attempt is None, each.attempts))
