"""The KeyStore and Audit ports in dicts."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from threading import RLock
from types import MappingProxyType

import msgspec

from batch_gateway.core.access.keys import KeyRecord, TeamRecord
from batch_gateway.ports import (
    AliasTakenError,
    AuditEntry,
    Report,
    StoreUnavailableError,
    TeamDeletedError,
)


class MemoryKeys:
    """The KeyStore and Audit ports in dicts.

    Attributes:
        down: While true, every call raises StoreUnavailableError.
    """

    def __init__(self) -> None:
        self.down = False
        self._lock = RLock()
        self._keys: dict[str, KeyRecord] = {}
        self._teams: dict[str, TeamRecord] = {}
        self._deleted_teams: set[str] = set()
        self._taken: dict[tuple[str, str], int] = {}
        self._audit: list[AuditEntry] = []

    def get_key(self, token: str) -> KeyRecord | None:
        self._check()
        return self._keys.get(token)

    def list_keys(self, team_id: str | None = None, *, report: Report | None = None) -> list[KeyRecord]:  # noqa: ARG002 - all can be read
        self._check()
        found = [key for key in self._keys.values() if team_id is None or key.team_id == team_id]
        return sorted(found, key=lambda key: (key.key_alias, key.created_at))

    def page_of_keys(self, team_id: str | None, skipped: int, limit: int) -> list[KeyRecord]:
        return self.list_keys(team_id)[skipped:][:limit]

    def count_keys(self, team_id: str | None = None) -> int:
        return len(self.list_keys(team_id))

    def list_secrets(self, key_id: str) -> list[KeyRecord]:
        return [key for key in self.list_keys() if key.key_id == key_id]

    def add_key(self, key: KeyRecord) -> None:
        self._check()
        with self._lock:
            self._check_alias(key)
            self._keys[key.token] = key

    def change_key(self, token: str, change: Callable[[KeyRecord], KeyRecord]) -> KeyRecord | None:
        self._check()
        with self._lock:
            if token not in self._keys:
                return None
            key = change(self._keys[token])
            self._check_alias(key)
            self._keys[token] = key
            return key

    def rotate_key(
        self, token: str, rotate: Callable[[KeyRecord], tuple[KeyRecord, KeyRecord]]
    ) -> tuple[KeyRecord, KeyRecord] | None:
        self._check()
        with self._lock:
            old = self._keys.get(token)
            if old is None:
                return None
            self._keys[token], new = rotate(old)
            self._keys[new.token] = new
            return old, new

    def delete_key(self, token: str) -> KeyRecord | None:
        self._check()
        return self._keys.pop(token, None)

    def note_use(self, token: str, hour: datetime) -> None:
        self._check()
        with self._lock:
            if token in self._keys:
                self._keys[token] = msgspec.structs.replace(self._keys[token], last_used_at=hour)

    def page_of_teams(self, skipped: int, limit: int) -> list[TeamRecord]:
        return self.list_teams()[skipped:][:limit]

    def changed_owners(self, since: datetime | None, *, report: Report | None = None) -> set[str]:  # noqa: ARG002 - all can be read
        self._check()
        keys = {
            f"key:{key.key_id}" for key in self._keys.values() if since is None or key.updated_at >= since
        }
        teams = self._teams.values()
        return keys | {f"team:{team.team_id}" for team in teams if since is None or team.updated_at >= since}

    def find_owners(
        self,
        owners: Collection[str],
        *,
        report: Report | None = None,  # noqa: ARG002 - all can be read
    ) -> list[KeyRecord | TeamRecord]:
        self._check()
        keys = [key for key in self._keys.values() if f"key:{key.key_id}" in owners]
        return [*keys, *(team for team in self._teams.values() if f"team:{team.team_id}" in owners)]

    def get_team(self, team_id: str) -> TeamRecord | None:
        self._check()
        return self._teams.get(team_id)

    def count_teams(self) -> int:
        self._check()
        return len(self._teams)

    def list_teams(self, *, report: Report | None = None) -> list[TeamRecord]:  # noqa: ARG002 - all can be read
        self._check()
        return sorted(self._teams.values(), key=lambda team: team.team_id)

    def change_team(
        self, team_id: str, change: Callable[[TeamRecord | None], TeamRecord | None]
    ) -> TeamRecord | None:
        self._check()
        with self._lock:
            if team_id in self._deleted_teams:
                raise TeamDeletedError(team_id)
            team = change(self._teams.get(team_id))
            if team is not None:
                self._teams[team_id] = team
            return team

    def delete_team(self, team_id: str) -> None:
        self._check()
        with self._lock:
            if self._teams.pop(team_id, None):
                self._deleted_teams.add(team_id)

    def take(self, counter: str, minute: str, portion: int, limit: int) -> int:
        self._check()
        with self._lock:
            taken = self._taken.get((counter, minute), 0)
            more = max(0, min(portion, limit - taken))
            self._taken[counter, minute] = taken + more
            return more

    def append(self, entry: AuditEntry) -> None:
        self._check()
        self._audit.append(entry)

    def read(
        self,
        start: datetime | None,
        end: datetime | None,
        limit: int,
        equal: Mapping[str, str] = MappingProxyType({}),
    ) -> list[AuditEntry]:
        self._check()
        found = [
            entry
            for entry in self._audit
            if (start is None or start <= entry.time)
            and (end is None or entry.time < end)
            and all(getattr(entry, field) == value for field, value in equal.items())
        ]
        return sorted(found, key=lambda entry: entry.time, reverse=True)[:limit]

    def _check(self) -> None:
        if self.down:
            raise StoreUnavailableError("down")

    def _check_alias(self, key: KeyRecord) -> None:
        for other in self._keys.values():
            if other.key_alias == key.key_alias and other.key_id != key.key_id:
                raise AliasTakenError(key.key_alias)
