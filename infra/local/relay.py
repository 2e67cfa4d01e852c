"""Stand in for Eventarc: send the settle function an event for each object that is written.

gcp-storage-emulator sends no notifications, so the listings are polled; what is then delivered is what Cloud
Storage and Eventarc would deliver, and as badly: at least once, in no order, again and again until the answer
is 2xx. One thing differs: of two writes to one name between two polls only the second is seen.
"""

from __future__ import annotations

import heapq
import itertools
import json
import random
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import requests

from cloud_event import Event, notified_resource

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

_Key = tuple[str, str, str]  # bucket, name, generation


@dataclass(frozen=True)
class Backoff:
    """Pauses before a refused event is sent again. Eventarc's own are 10 s to 600 s, for 24 hours."""

    start: float = 0.5
    cap: float = 10.0
    give_up_after: float = 86_400.0


@dataclass(order=True)
class _Delivery:
    """An event that is waiting for its next attempt."""

    due: float
    order: int
    event: Event = field(compare=False)
    delay: float = field(compare=False)
    expires: float = field(compare=False)


def _is_success(status: int) -> bool:
    return 200 <= status < 300  # noqa: PLR2004 - the range is the definition


def _key(resource: dict[str, Any]) -> _Key:
    return resource["bucket"], resource["name"], str(resource["generation"])


class Relay:
    """Watches buckets and delivers an event for each object written after `start`.

    Stopping loses what was not delivered yet, and what is written until the next start, as a broken trigger
    would.
    """

    def __init__(
        self,
        storage_url: str,
        target_url: str,
        buckets: Sequence[str],
        *,
        poll_interval: float = 0.2,
        backoff: Backoff | None = None,
        workers: int = 4,
        request_timeout: float = 540.0,
    ) -> None:
        self._delivered: list[str] = []  # names of objects
        self.retried = 0
        self.expired = 0
        self._storage_url = storage_url
        self._target_url = target_url
        self._buckets = tuple(buckets)
        self._poll_interval = poll_interval
        self._backoff = backoff or Backoff()
        self._workers = workers
        self._request_timeout = request_timeout
        self._events: dict[_Key, Event] = {}
        self._seen: set[_Key] = set()
        self._etag = ""  # of the last listings, as the emulator has one for all buckets
        self._queue: list[_Delivery] = []
        self._order = itertools.count()
        self._in_flight = 0
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start watching; objects that are in the buckets already cause no event."""
        self._stopping.clear()
        with self._session() as session:
            list(self._discover(session))
        targets = [self._poll, *[self._work] * self._workers]
        self._threads = [threading.Thread(target=each, name="relay", daemon=True) for each in targets]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop watching and delivering; wait a moment for an attempt under way."""
        self._stopping.set()
        with self._changed:
            self._queue.clear()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout=2)
        self._threads = []

    @property
    def delivered(self) -> int:
        """Return the number of events that were delivered."""
        return len(self._delivered)

    def idle(self) -> bool:
        """Return whether all events that the last poll found are delivered."""
        with self._changed:
            return not self._queue and not self._in_flight

    def wait_for_delivery(self, prefix: str, after: int, timeout: float) -> None:
        """Wait for the delivery of an event of an object under a prefix, or for so many seconds.

        Args:
            prefix: What the object's name begins with.
            after: How many deliveries there were before; these do not count.
            timeout: Seconds.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: any(name.startswith(prefix) for name in self._delivered[after:]), timeout
            )

    def deliver(self, bucket: str, name: str, generation: str | None = None) -> int:
        """Deliver an object's event once more by hand, with the same id and body.

        Args:
            bucket: The object's bucket.
            name: The object's name.
            generation: Which one of those seen; None: the object as it is now.

        Returns:
            The status that the function answered.
        """
        with self._session() as session:
            if generation is None:
                url = f"{self._storage_url}/storage/v1/b/{bucket}/o/{quote(name, safe='')}"
                answer = session.get(url, timeout=30)
                answer.raise_for_status()
                event = self._event(notified_resource(answer.json()))
            else:
                event = self._events[bucket, name, generation]
            return self._attempt(session, event)

    @staticmethod
    def _session() -> requests.Session:
        session = requests.Session()
        session.trust_env = False  # the loopback interface needs no proxy
        return session

    def _event(self, resource: dict[str, Any]) -> Event:
        """Return the object's event, with the same id each time."""
        with self._changed:
            # Digits without meaning, like a Pub/Sub message id.
            fresh = Event(str(random.randrange(10**15, 10**16)), resource)
            return self._events.setdefault(_key(resource), fresh)

    def _discover(self, session: requests.Session) -> Iterator[Event]:
        """List the buckets, and yield the events of objects that are new."""
        etag = ""
        for bucket in self._buckets:
            answer = session.get(
                f"{self._storage_url}/storage/v1/b/{bucket}/o",
                headers={"If-None-Match": self._etag},
                timeout=30,
            )
            if answer.status_code == HTTPStatus.NOT_MODIFIED:
                return
            answer.raise_for_status()
            for listed in answer.json().get("items", []):
                if _key(listed) not in self._seen:
                    self._seen.add(_key(listed))
                    yield self._event(notified_resource(listed))
            # The first: what came after it may be missing from that listing.
            etag = etag or answer.headers.get("ETag", "")
        self._etag = etag

    def _poll(self) -> None:
        with self._session() as session:
            while not self._stopping.wait(self._poll_interval):
                # The next listing makes up for one that fails.
                with suppress(requests.RequestException):
                    for event in self._discover(session):
                        now = time.monotonic()
                        expires = now + self._backoff.give_up_after
                        with self._changed:
                            self._push(_Delivery(now, next(self._order), event, self._backoff.start, expires))

    def _push(self, delivery: _Delivery) -> None:
        """Queue a delivery; the caller holds the lock."""
        if not self._stopping.is_set():
            heapq.heappush(self._queue, delivery)
            self._changed.notify()

    def _work(self) -> None:
        with self._session() as session:
            while delivery := self._next():
                status = self._attempt(session, delivery.event)
                with self._changed:
                    self._in_flight -= 1
                    if not _is_success(status):
                        self._again(delivery)

    def _again(self, delivery: _Delivery) -> None:
        """Queue a refused delivery for later; the caller holds the lock."""
        due = time.monotonic() + delivery.delay
        if due > delivery.expires:
            self.expired += 1
            return
        self.retried += 1
        delay = min(2 * delivery.delay, self._backoff.cap)
        self._push(_Delivery(due, next(self._order), delivery.event, delay, delivery.expires))

    def _attempt(self, session: requests.Session, event: Event) -> int:
        """Post an event, and return the answer's status; 0 without an answer."""
        try:
            answer = session.post(
                self._target_url,
                data=json.dumps(event.resource),
                headers=event.headers(),
                timeout=self._request_timeout,
                allow_redirects=False,
            )
        except requests.RequestException:
            return 0
        if _is_success(answer.status_code):
            with self._changed:
                self._delivered.append(event.resource["name"])
                self._changed.notify_all()
        return answer.status_code

    def _next(self) -> _Delivery | None:
        """Wait for a delivery that is due, and return it; None when the relay stops."""
        with self._changed:
            while not self._stopping.is_set():
                wait = self._queue[0].due - time.monotonic() if self._queue else None
                if wait is not None and wait <= 0:
                    self._in_flight += 1
                    return heapq.heappop(self._queue)
                self._changed.wait(wait)
        return None
