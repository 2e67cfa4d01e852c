"""The Outbox port in a dict."""

from collections.abc import Callable
from datetime import datetime
from threading import RLock

import msgspec

from batch_gateway.core.notify.events import LEASE, Event
from batch_gateway.ports import StoreUnavailableError


class MemoryOutbox:
    """The Outbox port in a dict.

    Attributes:
        down: While true, every call raises StoreUnavailableError.
        events: By id.
    """

    def __init__(self) -> None:
        self.down = False
        self.events: dict[str, Event] = {}
        self._outbox_lock = RLock()

    def add_event(self, event: Event) -> bool:
        self._check_up()
        with self._outbox_lock:
            return self.events.setdefault(event.id, event) is event

    def claim_events(self, now: datetime, limit: int) -> list[Event]:
        self._check_up()
        with self._outbox_lock:
            due = [(each.next_attempt, each.id) for each in self.events.values() if each.next_attempt]
            claimed = [event_id for at, event_id in sorted(due) if at <= now][:limit]
            for event_id in claimed:
                event = self.events[event_id]
                self.events[event_id] = msgspec.structs.replace(event, next_attempt=now + LEASE)
            return [self.events[event_id] for event_id in claimed]

    def latest_events(self, kind: str, limit: int) -> list[Event]:
        self._check_up()
        with self._outbox_lock:
            found = [event for event in self.events.values() if event.type == kind]
            return sorted(found, key=lambda event: event.time, reverse=True)[:limit]

    def amend_event(self, event_id: str, change: Callable[[Event], Event | None]) -> Event | None:
        self._check_up()
        with self._outbox_lock:
            event = self.events.get(event_id)
            changed = event and change(event)
            if changed is not None:
                self.events[event_id] = changed
            return changed

    def _check_up(self) -> None:
        if self.down:
            raise StoreUnavailableError("down")
