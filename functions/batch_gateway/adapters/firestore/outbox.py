"""Store events until they are delivered.

Collections::

    events/{id}    Event; found by nextAttempt, which is null when nothing is due, or by type
"""

from collections.abc import Callable
from datetime import datetime

import msgspec
from google.cloud.firestore_v1 import Client, FieldFilter, Query, WriteBatch

from batch_gateway.adapters.firestore.documents import (
    CALL,
    from_documents,
    from_optional,
    optimistically,
    read_records,
    to_document,
    translate_errors,
    write_if_unchanged,
)
from batch_gateway.core.notify.events import LEASE, Event
from batch_gateway.ports import Unreadable


class FirestoreOutbox:
    """The Outbox port."""

    _client: Client

    def add_event(self, event: Event) -> bool:
        def attempt() -> bool:
            batch = self._client.batch()
            added = self._add_event(batch, event)
            if added:
                batch.commit(**CALL)
            return added

        with translate_errors():
            return optimistically(attempt)

    def claim_events(self, now: datetime, limit: int) -> list[Event | Unreadable]:
        due = self._client.collection("events").where(filter=FieldFilter("nextAttempt", "<=", now))
        query = due.order_by("nextAttempt").limit(limit)

        def attempt() -> list[Event | Unreadable]:
            found = list(query.stream(**CALL))
            batch = self._client.batch()
            for snapshot in found:
                write_if_unchanged(batch, snapshot, {"nextAttempt": now + LEASE})
            if found:
                batch.commit(**CALL)
            return [
                msgspec.structs.replace(event, next_attempt=now + LEASE)
                if isinstance(event, Event)
                else event
                for event in from_documents(found, Event)
            ]

        with translate_errors():
            return optimistically(attempt)

    def latest_events(self, kind: str, limit: int) -> list[Event]:
        of_kind = self._client.collection("events").where(filter=FieldFilter("type", "==", kind))
        query = of_kind.order_by("time", direction=Query.DESCENDING)
        with translate_errors():
            return read_records(query, Event, limit)

    def amend_event(self, event_id: str, change: Callable[[Event], Event | None]) -> Event | None:
        def attempt() -> Event | None:
            snapshot = self._client.collection("events").document(event_id).get(**CALL)
            event = from_optional(snapshot.to_dict(), Event)
            changed = event and change(event)
            if changed is None:
                return None
            batch = self._client.batch()
            write_if_unchanged(batch, snapshot, to_document(changed))
            batch.commit(**CALL)
            return changed

        with translate_errors():
            return optimistically(attempt)

    def _add_event(self, batch: WriteBatch, event: Event) -> bool:
        """Add an event to a batch unless its id exists; return whether it was added."""
        snapshot = self._client.collection("events").document(event.id).get(["id"], **CALL)
        if snapshot.exists:
            return False
        write_if_unchanged(batch, snapshot, to_document(event))
        return True
