"""API keys, teams, their rates, and the audit trail.

Collections::

    keys/{token}            KeyRecord; the token is the hash of the secret
    key_aliases/{hash}      {"keyId": …}: each alias has one owner
    teams/{team_id}         TeamRecord, and "deleted" if its id is only kept from being given out again
    rates/{counter:minute}  {"taken": …, "expires": …}
    audit/{auto}            AuditEntry; never changed
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec
from google.cloud.firestore_v1 import DELETE_FIELD, Client, DocumentSnapshot, FieldFilter, Query, WriteBatch

from batch_gateway.adapters.firestore.documents import (
    CALL,
    delete,
    errors,
    known,
    log_unreadable,
    optimistically,
    plain,
    put,
    unreadable,
)
from batch_gateway.core.access.keys import TEAM_ID, KeyRecord, TeamRecord
from batch_gateway.core.accounting.budgets import split_owner
from batch_gateway.ports import AliasTakenError, AuditEntry, Report, TeamDeletedError, Unreadable

_RATE_KEPT = timedelta(hours=1)
_PAGE = 300
"""Documents of one call: read well within the time that a call may take, also on a slow or busy processor."""
_MOST_VALUES = 30
"""Values that a query may ask a field for ("in" of Firestore's documentation)."""
Kept = TypeVar("Kept", KeyRecord, TeamRecord)


class FirestoreKeys:
    """The KeyStore and Audit ports."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def get_key(self, token: str) -> KeyRecord | None:
        """See KeyStore."""
        with errors():
            return _record(self._key(token).get(**CALL).to_dict(), KeyRecord)

    def list_keys(self, team_id: str | None = None, *, report: Report = log_unreadable) -> list[KeyRecord]:
        """See KeyStore."""
        query: Any = self._client.collection("keys")
        if team_id is not None:
            query = query.where(filter=FieldFilter("team_id", "==", team_id))
        with errors():
            found = _readable(_each(query), KeyRecord, report)
        return sorted(found, key=lambda key: (key.key_alias, key.created_at))

    def page_of_keys(self, team_id: str | None, skipped: int, limit: int) -> list[KeyRecord]:
        """See KeyStore."""
        query: Any = self._client.collection("keys")
        if team_id is not None:
            query = query.where(filter=FieldFilter("team_id", "==", team_id))
        with errors():
            page = query.order_by("key_alias").offset(skipped).limit(limit).stream(**CALL)
            return sorted(
                _readable(page, KeyRecord, log_unreadable), key=lambda key: (key.key_alias, key.created_at)
            )

    def count_keys(self, team_id: str | None = None) -> int:
        """See KeyStore."""
        keys: Any = self._client.collection("keys")
        return _count(keys if team_id is None else keys.where(filter=FieldFilter("team_id", "==", team_id)))

    def list_secrets(self, key_id: str) -> list[KeyRecord]:
        """See KeyStore."""
        query = self._client.collection("keys").where(filter=FieldFilter("key_id", "==", key_id))
        with errors():
            found = [_record(snapshot.to_dict(), KeyRecord) for snapshot in query.stream(**CALL)]
        return [key for key in found if key]

    def add_key(self, key: KeyRecord) -> None:
        """See KeyStore."""

        def attempt() -> None:
            batch = self._client.batch()
            self._claim(batch, key)
            batch.create(self._key(key.token), _document(key))
            batch.commit(**CALL)

        with errors():
            optimistically(attempt)

    def change_key(self, token: str, change: Callable[[KeyRecord], KeyRecord]) -> KeyRecord | None:
        """See KeyStore."""

        def attempt() -> KeyRecord | None:
            snapshot = self._key(token).get(**CALL)
            old = _record(snapshot.to_dict(), KeyRecord)
            if old is None:
                return None
            new = change(old)
            batch = self._client.batch()
            if new.key_alias != old.key_alias:
                self._claim(batch, new)
                self._free(batch, old)
            put(batch, snapshot, _document(new))
            batch.commit(**CALL)
            return new

        with errors():
            return optimistically(attempt)

    def delete_key(self, token: str) -> KeyRecord | None:
        """See KeyStore."""

        def attempt() -> KeyRecord | None:
            snapshot = self._key(token).get(**CALL)
            key = _record(snapshot.to_dict(), KeyRecord)
            if key is None:
                return None
            batch = self._client.batch()
            delete(batch, snapshot)
            self._free(batch, key)
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

    def _free(self, batch: WriteBatch, key: KeyRecord) -> None:
        """Frees a secret's alias, in a batch, unless another secret of the key has it too."""
        others = [other for other in self.list_secrets(key.key_id) if other.token != key.token]
        if all(other.key_alias != key.key_alias for other in others):
            batch.delete(self._alias(key.key_alias))

    def get_team(self, team_id: str) -> TeamRecord | None:
        """See KeyStore."""
        if not TEAM_ID.fullmatch(team_id):
            return None
        with errors():
            return _record(self._team(team_id).get(**CALL).to_dict(), TeamRecord)

    def count_teams(self) -> int:
        """See KeyStore."""
        return _count(self._client.collection("teams"))

    def list_teams(self, *, report: Report = log_unreadable) -> list[TeamRecord]:
        """See KeyStore."""
        with errors():
            found = _readable(_each(self._client.collection("teams")), TeamRecord, report)
        return sorted(found, key=lambda team: team.team_id)

    def page_of_teams(self, skipped: int, limit: int) -> list[TeamRecord]:
        """See KeyStore."""
        # What is left of deleted teams has no such field.
        query = self._client.collection("teams").order_by("team_id")
        with errors():
            return _readable(query.offset(skipped).limit(limit).stream(**CALL), TeamRecord, log_unreadable)

    def changed_owners(self, since: datetime | None, *, report: Report = log_unreadable) -> set[str]:
        """See KeyStore."""
        with errors():
            owners = {f"team:{each.id}" for each in self._changed_teams(since)}
            for each in self._changed_keys(since):
                key_id = (each.to_dict() or {}).get("key_id")
                if isinstance(key_id, str):
                    owners.add(f"key:{key_id}")
                else:
                    report(Unreadable(f"keys/{each.id}", "cannot be read: it has no key_id"))
        return owners

    def _changed_keys(self, since: datetime | None) -> Iterable[DocumentSnapshot[Any]]:
        found: Any = self._client.collection("keys").select(["key_id", "updated_at"])
        if since is None:
            return _each(found)
        return found.where(filter=FieldFilter("updated_at", ">=", since)).stream(**CALL)

    def _changed_teams(self, since: datetime | None) -> Iterable[DocumentSnapshot[Any]]:
        found: Any = self._client.collection("teams").select(["updated_at"])
        if since is None:
            return _each(found)
        return found.where(filter=FieldFilter("updated_at", ">=", since)).stream(**CALL)

    def find_owners(
        self, owners: Collection[str], *, report: Report = log_unreadable
    ) -> list[KeyRecord | TeamRecord]:
        """See KeyStore."""
        ids: dict[str, list[str]] = {"key": [], "team": []}
        for owner in sorted(owners):
            kind, owner_id = split_owner(owner)
            ids.setdefault(kind, []).append(owner_id)
        teams = [self._team(team_id) for team_id in ids["team"] if TEAM_ID.fullmatch(team_id)]
        with errors():
            found: list[KeyRecord | TeamRecord] = []
            for start in range(0, len(ids["key"]), _MOST_VALUES):
                some = ids["key"][start : start + _MOST_VALUES]
                query = self._client.collection("keys").where(filter=FieldFilter("key_id", "in", some))
                found += _readable(query.stream(**CALL), KeyRecord, report)
            if teams:
                found += _readable(self._client.get_all(teams, **CALL), TeamRecord, report)
        return found

    def change_team(
        self, team_id: str, change: Callable[[TeamRecord | None], TeamRecord | None]
    ) -> TeamRecord | None:
        """See KeyStore."""
        if not TEAM_ID.fullmatch(team_id):
            return change(None)

        def attempt() -> TeamRecord | None:
            snapshot = self._team(team_id).get(**CALL)
            if _is_deleted(snapshot.to_dict()):
                raise TeamDeletedError(team_id)
            new = change(_record(snapshot.to_dict(), TeamRecord))
            if new is not None:
                batch = self._client.batch()
                put(batch, snapshot, _document(new))
                batch.commit(**CALL)
            return new

        with errors():
            return optimistically(attempt)

    def delete_team(self, team_id: str) -> None:
        """See KeyStore."""
        if not TEAM_ID.fullmatch(team_id):
            return

        def attempt() -> None:
            snapshot = self._team(team_id).get(**CALL)
            if not snapshot.exists or _is_deleted(snapshot.to_dict()):
                return
            batch = self._client.batch()
            # Without its id it is on no page of teams.
            put(batch, snapshot, {"deleted": datetime.now(UTC), "team_id": DELETE_FIELD})
            batch.commit(**CALL)

        with errors():
            optimistically(attempt)

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


def _each(query: Any) -> Iterator[DocumentSnapshot[Any]]:
    """Every document of a collection or query, however many there are."""
    pages = query.order_by("__name__").limit(_PAGE)
    page = list(pages.stream(**CALL))
    while page:
        yield from page
        last = page[-1].reference
        page = list(pages.start_after({"__name__": last}).stream(**CALL)) if len(page) == _PAGE else []


def _count(collection: Any) -> int:
    with errors():
        return int(collection.count().get(**CALL)[0][0].value)


def _document(record: KeyRecord | TeamRecord) -> dict[str, Any]:
    """A record as a document; its metadata as text, since Firestore does not hold all of JSON."""
    return {**plain(record), "metadata": msgspec.json.encode(record.metadata).decode()}


def _record(document: dict[str, Any] | None, kind: type[Kept]) -> Kept | None:
    """Return a document as a record; None if there is none, or of a deleted team."""
    if document is None or _is_deleted(document):
        return None
    metadata = msgspec.json.decode(document.get("metadata", "{}"), type=dict[str, Any])
    return msgspec.structs.replace(known({**document, "metadata": {}}, kind), metadata=metadata)


def _is_deleted(document: dict[str, Any] | None) -> bool:
    return document is not None and "deleted" in document


def _readable(snapshots: Iterable[DocumentSnapshot[Any]], kind: type[Kept], report: Report) -> list[Kept]:
    """Return the records that can be read, and reports the others."""
    found = []
    for snapshot in snapshots:
        try:
            record = _record(snapshot.to_dict(), kind)
        except msgspec.MsgspecError as error:
            report(unreadable(snapshot, error))
        else:
            found += [record] if record is not None else []
    return found
