"""Events until they have arrived.

Collections::

    events/{id}    Event; found by nextAttempt, which is null once nothing is due any more
"""

from collections.abc import Callable
from datetime import datetime

import msgspec
from google.cloud.firestore_v1 import Client, FieldFilter, WriteBatch

from batch_gateway.adapters.firestore.documents import (
    CALL,
    each_known,
    errors,
    optimistically,
    plain,
    put,
    typed,
)
from batch_gateway.core.notify.notifications import LEASE, Event
from batch_gateway.ports import Unreadable


class FirestoreOutbox:
    """The Outbox port."""

    _client: Client

    def add_event(self, event: Event) -> bool:
        """See Outbox."""

        def attempt() -> bool:
            batch = self._client.batch()
            added = self._note(batch, event)
            if added:
                batch.commit(**CALL)
            return added

        with errors():
            return optimistically(attempt)

    def claim_events(self, now: datetime, limit: int) -> list[Event | Unreadable]:
        """See Outbox."""
        due = self._client.collection("events").where(filter=FieldFilter("nextAttempt", "<=", now))
        query = due.order_by("nextAttempt").limit(limit)

        def attempt() -> list[Event | Unreadable]:
            found = list(query.stream(**CALL))
            batch = self._client.batch()
            for snapshot in found:
                put(batch, snapshot, {"nextAttempt": now + LEASE})
            if found:
                batch.commit(**CALL)
            return [
                msgspec.structs.replace(event, next_attempt=now + LEASE)
                if isinstance(event, Event)
                else event
                for event in each_known(found, Event)
            ]

        with errors():
            return optimistically(attempt)

    def amend_event(self, event_id: str, change: Callable[[Event], Event | None]) -> Event | None:
        """See Outbox."""

        def attempt() -> Event | None:
            snapshot = self._client.collection("events").document(event_id).get(**CALL)
            event = typed(snapshot.to_dict(), Event)
            changed = event and change(event)
            if changed is None:
                return None
            batch = self._client.batch()
            put(batch, snapshot, plain(changed))
            batch.commit(**CALL)
            return changed

        with errors():
            return optimistically(attempt)

    def _note(self, batch: WriteBatch, event: Event) -> bool:
        """Adds an event to a batch, unless one with its id is there; whether it was added."""
        snapshot = self._client.collection("events").document(event.id).get(["id"], **CALL)
        if snapshot.exists:
            return False
        put(batch, snapshot, plain(event))
        return True
