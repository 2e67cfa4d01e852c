"""API keys, teams, their rates, and the audit trail.

Collections::

    keys/{token}            KeyRecord; the token is the hash of the secret
    key_aliases/{hash}      {"keyId": …}: each alias has one owner
    teams/{team_id}         TeamRecord
    rates/{counter:minute}  {"taken": …, "expires": …}
    audit/{auto}            AuditEntry; never changed
"""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from google.cloud.firestore_v1 import Client, FieldFilter, Query, WriteBatch

from batch_gateway.adapters.firestore.documents import (
    CALL,
    delete,
    errors,
    known,
    optimistically,
    plain,
    put,
    typed,
)
from batch_gateway.core.keys import KeyRecord, TeamRecord
from batch_gateway.ports import AliasTakenError, AuditEntry

_RATE_KEPT = timedelta(hours=1)


class FirestoreKeys:
    """The KeyStore and Audit ports."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def get_key(self, token: str) -> KeyRecord | None:
        """See KeyStore."""
        with errors():
            return typed(self._key(token).get(**CALL).to_dict(), KeyRecord)

    def list_keys(self, team_id: str | None = None) -> list[KeyRecord]:
        """See KeyStore."""
        query: Any = self._client.collection("keys")
        if team_id is not None:
            query = query.where(filter=FieldFilter("team_id", "==", team_id))
        with errors():
            found = [known(snapshot.to_dict(), KeyRecord) for snapshot in query.stream(**CALL)]
        return sorted(found, key=lambda key: (key.key_alias, key.created_at))

    def add_key(self, key: KeyRecord) -> None:
        """See KeyStore."""

        def attempt() -> None:
            batch = self._client.batch()
            self._claim(batch, key)
            batch.create(self._key(key.token), plain(key))
            batch.commit(**CALL)

        with errors():
            optimistically(attempt)

    def change_key(self, token: str, change: Callable[[KeyRecord], KeyRecord]) -> KeyRecord | None:
        """See KeyStore."""

        def attempt() -> KeyRecord | None:
            snapshot = self._key(token).get(**CALL)
            old = typed(snapshot.to_dict(), KeyRecord)
            if old is None:
                return None
            new = change(old)
            batch = self._client.batch()
            if new.key_alias != old.key_alias:
                self._claim(batch, new)
                batch.delete(self._alias(old.key_alias))
            put(batch, snapshot, plain(new))
            batch.commit(**CALL)
            return new

        with errors():
            return optimistically(attempt)

    def delete_key(self, token: str) -> KeyRecord | None:
        """See KeyStore."""

        def attempt() -> KeyRecord | None:
            snapshot = self._key(token).get(**CALL)
            key = typed(snapshot.to_dict(), KeyRecord)
            if key is None:
                return None
            batch = self._client.batch()
            delete(batch, snapshot)
            same = self._client.collection("keys").where(filter=FieldFilter("key_id", "==", key.key_id))
            if len(list(same.stream(**CALL))) == 1:
                # After a rotation the alias is also the other secret's.
                batch.delete(self._alias(key.key_alias))
            batch.commit(**CALL)
            return key

        with errors():
            return optimistically(attempt)

    def _claim(self, batch: WriteBatch, key: KeyRecord) -> None:
        """Makes an alias a key's, in a batch.

        Raises:
            AliasTakenError: It is another key's.
        """
        snapshot = self._alias(key.key_alias).get(**CALL)
        owner = snapshot.to_dict()
        if owner is not None and owner["keyId"] != key.key_id:
            raise AliasTakenError(key.key_alias)
        put(batch, snapshot, {"keyId": key.key_id})

    def get_team(self, team_id: str) -> TeamRecord | None:
        """See KeyStore."""
        with errors():
            return typed(self._team(team_id).get(**CALL).to_dict(), TeamRecord)

    def list_teams(self) -> list[TeamRecord]:
        """See KeyStore."""
        with errors():
            snapshots = list(self._client.collection("teams").stream(**CALL))
        return sorted((known(s.to_dict(), TeamRecord) for s in snapshots), key=lambda team: team.team_id)

    def change_team(
        self, team_id: str, change: Callable[[TeamRecord | None], TeamRecord | None]
    ) -> TeamRecord | None:
        """See KeyStore."""

        def attempt() -> TeamRecord | None:
            snapshot = self._team(team_id).get(**CALL)
            new = change(typed(snapshot.to_dict(), TeamRecord))
            if new is not None:
                batch = self._client.batch()
                put(batch, snapshot, plain(new))
                batch.commit(**CALL)
            return new

        with errors():
            return optimistically(attempt)

    def delete_team(self, team_id: str) -> None:
        """See KeyStore."""
        with errors():
            self._team(team_id).delete(**CALL)

    def take(self, counter: str, minute: str, portion: int, limit: int) -> int:
        """See KeyStore."""
        document = self._client.collection("rates").document(f"{counter}:{minute}")

        def attempt() -> int:
            snapshot = document.get(**CALL)
            taken = (snapshot.to_dict() or {"taken": 0})["taken"]
            more = max(0, min(portion, limit - taken))
            if more:
                batch = self._client.batch()
                put(batch, snapshot, {"taken": taken + more, "expires": datetime.now(UTC) + _RATE_KEPT})
                batch.commit(**CALL)
            return more

        with errors():
            return optimistically(attempt)

    def append(self, entry: AuditEntry) -> None:
        """See Audit."""
        with errors():
            self._client.collection("audit").document().create(plain(entry), **CALL)

    def read(self, start: datetime | None, end: datetime | None, limit: int) -> list[AuditEntry]:
        """See Audit."""
        query: Any = self._client.collection("audit").order_by("time", direction=Query.DESCENDING)
        if start is not None:
            query = query.where(filter=FieldFilter("time", ">=", start))
        if end is not None:
            query = query.where(filter=FieldFilter("time", "<", end))
        with errors():
            return [known(snapshot.to_dict(), AuditEntry) for snapshot in query.limit(limit).stream(**CALL)]

    def _key(self, token: str) -> Any:
        return self._client.collection("keys").document(token)

    def _alias(self, alias: str) -> Any:
        # Hashed, because an alias may have characters that a document's name must not have.
        return self._client.collection("key_aliases").document(hashlib.sha256(alias.encode()).hexdigest())

    def _team(self, team_id: str) -> Any:
        return self._client.collection("teams").document(team_id)
