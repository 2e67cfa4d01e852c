"""Store API keys, teams, their request rates, and the audit trail.

Collections::

    keys/{token}            KeyRecord; the token is the hash of the secret
    key_aliases/{hash}      {"keyId": …}: each alias has one owner
    teams/{team_id}         TeamRecord, or only "deleted" if the id must not be used again
    rates/{counter:minute}  {"taken": …, "expires": …}
    audit/{auto}            AuditEntry; never changed
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec
from google.api_core.exceptions import NotFound
from google.cloud.firestore_v1 import DELETE_FIELD, Client, DocumentSnapshot, FieldFilter, Query, WriteBatch

from batch_gateway.adapters.firestore.documents import (
    CALL,
    delete_if_unchanged,
    describe_unreadable,
    from_document,
    log_unreadable,
    optimistically,
    to_document,
    translate_errors,
    write_if_unchanged,
)
from batch_gateway.core.access.keys import TEAM_ID, KeyRecord, TeamRecord
from batch_gateway.core.accounting.budgets import split_owner
from batch_gateway.ports import AliasTakenError, AuditEntry, Report, TeamDeletedError, Unreadable

_RATE_KEPT = timedelta(hours=1)
_PAGE = 300
"""Documents of one call, few enough for its time limit also on a slow or busy processor."""
_MOST_VALUES = 30
"""Limit of values of an ``in`` filter (Firestore's documentation)."""
Owner = TypeVar("Owner", KeyRecord, TeamRecord)


class FirestoreKeys:
    """The KeyStore and Audit ports."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def get_key(self, token: str) -> KeyRecord | None:
        with translate_errors():
            return self._get(token)

    def _get(self, token: str) -> KeyRecord | None:
        return _from_document(self._key(token).get(**CALL).to_dict(), KeyRecord)

    def list_keys(self, team_id: str | None = None, *, report: Report = log_unreadable) -> list[KeyRecord]:
        query: Any = self._client.collection("keys")
        if team_id is not None:
            query = query.where(filter=FieldFilter("team_id", "==", team_id))
        with translate_errors():
            found = _read_records(_read_all(query), KeyRecord, report)
        return sorted(found, key=lambda key: (key.key_alias, key.created_at))

    def page_of_keys(self, team_id: str | None, skipped: int, limit: int) -> list[KeyRecord]:
        query: Any = self._client.collection("keys")
        if team_id is not None:
            query = query.where(filter=FieldFilter("team_id", "==", team_id))
        with translate_errors():
            page = query.order_by("key_alias").offset(skipped).limit(limit).stream(**CALL)
            return sorted(
                _read_records(page, KeyRecord, log_unreadable),
                key=lambda key: (key.key_alias, key.created_at),
            )

    def count_keys(self, team_id: str | None = None) -> int:
        keys: Any = self._client.collection("keys")
        return _count(keys if team_id is None else keys.where(filter=FieldFilter("team_id", "==", team_id)))

    def list_secrets(self, key_id: str) -> list[KeyRecord]:
        query = self._client.collection("keys").where(filter=FieldFilter("key_id", "==", key_id))
        with translate_errors():
            found = [_from_document(snapshot.to_dict(), KeyRecord) for snapshot in query.stream(**CALL)]
        return [key for key in found if key]

    def add_key(self, key: KeyRecord) -> None:
        def attempt() -> None:
            if self._get(key.token) == key:
                # A commit that is repeated because its answer was lost finds its own key.
                return
            batch = self._client.batch()
            self._claim_alias(batch, key)
            batch.create(self._key(key.token), _to_document(key))
            batch.commit(**CALL)

        with translate_errors():
            optimistically(attempt)

    def change_key(self, token: str, change: Callable[[KeyRecord], KeyRecord]) -> KeyRecord | None:
        def attempt() -> KeyRecord | None:
            snapshot = self._key(token).get(**CALL)
            old = _from_document(snapshot.to_dict(), KeyRecord)
            if old is None:
                return None
            new = change(old)
            batch = self._client.batch()
            if new.key_alias != old.key_alias:
                self._claim_alias(batch, new)
                self._free_alias(batch, old)
            write_if_unchanged(batch, snapshot, _to_document(new))
            batch.commit(**CALL)
            return new

        with translate_errors():
            return optimistically(attempt)

    def rotate_key(
        self, token: str, rotate: Callable[[KeyRecord], tuple[KeyRecord, KeyRecord]]
    ) -> tuple[KeyRecord, KeyRecord] | None:
        def attempt() -> tuple[KeyRecord, KeyRecord] | None:
            snapshot = self._key(token).get(**CALL)
            old = _from_document(snapshot.to_dict(), KeyRecord)
            if old is None:
                return None
            changed, new = rotate(old)
            if (added := self._get(new.token)) is not None:
                # As in add_key.
                return old, added
            batch = self._client.batch()
            write_if_unchanged(batch, snapshot, _to_document(changed))
            batch.create(self._key(new.token), _to_document(new))
            batch.commit(**CALL)
            return old, new

        with translate_errors():
            return optimistically(attempt)

    def delete_key(self, token: str) -> KeyRecord | None:
        def attempt() -> KeyRecord | None:
            snapshot = self._key(token).get(**CALL)
            key = _from_document(snapshot.to_dict(), KeyRecord)
            if key is None:
                return None
            batch = self._client.batch()
            delete_if_unchanged(batch, snapshot)
            self._free_alias(batch, key)
            batch.commit(**CALL)
            return key

        with translate_errors():
            return optimistically(attempt)

    def note_use(self, token: str, hour: datetime) -> None:
        with translate_errors(), suppress(NotFound):
            self._key(token).update({"last_used_at": hour}, **CALL)

    def _claim_alias(self, batch: WriteBatch, key: KeyRecord) -> None:
        """Assign an alias to a key, in a batch.

        Raises:
            AliasTakenError: Another key has the alias.
        """
        snapshot = self._alias(key.key_alias).get(**CALL)
        owner = snapshot.to_dict()
        if owner is not None and owner["keyId"] != key.key_id:
            raise AliasTakenError(key.key_alias)
        write_if_unchanged(batch, snapshot, {"keyId": key.key_id})

    def _free_alias(self, batch: WriteBatch, key: KeyRecord) -> None:
        """Free the alias of a secret, in a batch, unless another secret of the key has it, too."""
        others = [other for other in self.list_secrets(key.key_id) if other.token != key.token]
        if all(other.key_alias != key.key_alias for other in others):
            batch.delete(self._alias(key.key_alias))

    def get_team(self, team_id: str) -> TeamRecord | None:
        if not TEAM_ID.fullmatch(team_id):
            return None
        with translate_errors():
            return _from_document(self._team(team_id).get(**CALL).to_dict(), TeamRecord)

    def count_teams(self) -> int:
        return _count(self._client.collection("teams"))

    def list_teams(self, *, report: Report = log_unreadable) -> list[TeamRecord]:
        with translate_errors():
            found = _read_records(_read_all(self._client.collection("teams")), TeamRecord, report)
        return sorted(found, key=lambda team: team.team_id)

    def page_of_teams(self, skipped: int, limit: int) -> list[TeamRecord]:
        # The documents of deleted teams do not have this field.
        query = self._client.collection("teams").order_by("team_id")
        with translate_errors():
            return _read_records(
                query.offset(skipped).limit(limit).stream(**CALL), TeamRecord, log_unreadable
            )

    def changed_owners(self, since: datetime | None, *, report: Report = log_unreadable) -> set[str]:
        with translate_errors():
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
            return _read_all(found)
        return found.where(filter=FieldFilter("updated_at", ">=", since)).stream(**CALL)

    def _changed_teams(self, since: datetime | None) -> Iterable[DocumentSnapshot[Any]]:
        found: Any = self._client.collection("teams").select(["updated_at"])
        if since is None:
            return _read_all(found)
        return found.where(filter=FieldFilter("updated_at", ">=", since)).stream(**CALL)

    def find_owners(
        self, owners: Collection[str], *, report: Report = log_unreadable
    ) -> list[KeyRecord | TeamRecord]:
        ids: dict[str, list[str]] = {"key": [], "team": []}
        for owner in sorted(owners):
            kind, owner_id = split_owner(owner)
            ids.setdefault(kind, []).append(owner_id)
        teams = [self._team(team_id) for team_id in ids["team"] if TEAM_ID.fullmatch(team_id)]
        with translate_errors():
            found: list[KeyRecord | TeamRecord] = []
            for start in range(0, len(ids["key"]), _MOST_VALUES):
                some = ids["key"][start : start + _MOST_VALUES]
                query = self._client.collection("keys").where(filter=FieldFilter("key_id", "in", some))
                found += _read_records(query.stream(**CALL), KeyRecord, report)
            if teams:
                found += _read_records(self._client.get_all(teams, **CALL), TeamRecord, report)
        return found

    def change_team(
        self, team_id: str, change: Callable[[TeamRecord | None], TeamRecord | None]
    ) -> TeamRecord | None:
        if not TEAM_ID.fullmatch(team_id):
            return change(None)

        def attempt() -> TeamRecord | None:
            snapshot = self._team(team_id).get(**CALL)
            if _is_deleted(snapshot.to_dict()):
                raise TeamDeletedError(team_id)
            new = change(_from_document(snapshot.to_dict(), TeamRecord))
            if new is not None:
                batch = self._client.batch()
                write_if_unchanged(batch, snapshot, _to_document(new))
                batch.commit(**CALL)
            return new

        with translate_errors():
            return optimistically(attempt)

    def delete_team(self, team_id: str) -> None:
        if not TEAM_ID.fullmatch(team_id):
            return

        def attempt() -> None:
            snapshot = self._team(team_id).get(**CALL)
            if not snapshot.exists or _is_deleted(snapshot.to_dict()):
                return
            batch = self._client.batch()
            # Without the field it is on no page of teams.
            write_if_unchanged(batch, snapshot, {"deleted": datetime.now(UTC), "team_id": DELETE_FIELD})
            batch.commit(**CALL)

        with translate_errors():
            optimistically(attempt)

    def take(self, counter: str, minute: str, portion: int, limit: int) -> int:
        document = self._client.collection("rates").document(f"{counter}:{minute}")

        def attempt() -> int:
            snapshot = document.get(**CALL)
            taken = (snapshot.to_dict() or {"taken": 0})["taken"]
            more = max(0, min(portion, limit - taken))
            if more:
                batch = self._client.batch()
                write_if_unchanged(
                    batch, snapshot, {"taken": taken + more, "expires": datetime.now(UTC) + _RATE_KEPT}
                )
                batch.commit(**CALL)
            return more

        with translate_errors():
            return optimistically(attempt)

    def append(self, entry: AuditEntry) -> None:
        with translate_errors():
            self._client.collection("audit").document().create(to_document(entry), **CALL)

    def read(
        self,
        start: datetime | None,
        end: datetime | None,
        limit: int,
        equal: Mapping[str, str] = MappingProxyType({}),
    ) -> list[AuditEntry]:
        query: Any = self._client.collection("audit").order_by("time", direction=Query.DESCENDING)
        for field, value in equal.items():
            query = query.where(filter=FieldFilter(field, "==", value))
        if start is not None:
            query = query.where(filter=FieldFilter("time", ">=", start))
        if end is not None:
            query = query.where(filter=FieldFilter("time", "<", end))
        with translate_errors():
            return [
                from_document(snapshot.to_dict(), AuditEntry)
                for snapshot in query.limit(limit).stream(**CALL)
            ]

    def _key(self, token: str) -> Any:
        return self._client.collection("keys").document(token)

    def _alias(self, alias: str) -> Any:
        # Hashed, because an alias may have characters that are not allowed in a document's name.
        return self._client.collection("key_aliases").document(hashlib.sha256(alias.encode()).hexdigest())

    def _team(self, team_id: str) -> Any:
        return self._client.collection("teams").document(team_id)


def _read_all(query: Any) -> Iterator[DocumentSnapshot[Any]]:
    """Yield all documents of a collection or query, in pages."""
    pages = query.order_by("__name__").limit(_PAGE)
    page = list(pages.stream(**CALL))
    while page:
        yield from page
        last = page[-1].reference
        page = list(pages.start_after({"__name__": last}).stream(**CALL)) if len(page) == _PAGE else []


def _count(collection: Any) -> int:
    with translate_errors():
        return int(collection.count().get(**CALL)[0][0].value)


def _to_document(record: KeyRecord | TeamRecord) -> dict[str, Any]:
    """Return a record as a document, with its metadata as text: Firestore does not support all of JSON."""
    return {**to_document(record), "metadata": msgspec.json.encode(record.metadata).decode()}


def _from_document(document: dict[str, Any] | None, kind: type[Owner]) -> Owner | None:
    """Return a document as a record; None if there is none, or if its team is deleted."""
    if document is None or _is_deleted(document):
        return None
    metadata = msgspec.json.decode(document.get("metadata", "{}"), type=dict[str, Any])
    return msgspec.structs.replace(from_document({**document, "metadata": {}}, kind), metadata=metadata)


def _is_deleted(document: dict[str, Any] | None) -> bool:
    return document is not None and "deleted" in document


def _read_records(
    snapshots: Iterable[DocumentSnapshot[Any]], kind: type[Owner], report: Report
) -> list[Owner]:
    """Return the records that can be read, and report the others."""
    found = []
    for snapshot in snapshots:
        try:
            record = _from_document(snapshot.to_dict(), kind)
        except msgspec.MsgspecError as error:
            report(describe_unreadable(snapshot, error))
        else:
            found += [record] if record is not None else []
    return found
