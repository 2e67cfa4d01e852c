"""API keys, teams and the audit trail."""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Protocol

import msgspec

from batch_gateway.core.access.keys import KeyRecord, TeamRecord
from batch_gateway.ports.records import Unreadable


class AliasTakenError(Exception):
    """Another key has that alias."""


class TeamDeletedError(Exception):
    """There was a team with that id, and no other one may have it."""


Report = Callable[[Unreadable], None]
"""Is told of a record that was left out."""


class KeyStore(Protocol):
    """API keys and teams. Every method raises StoreUnavailableError if Firestore does not answer."""

    def get_key(self, token: str) -> KeyRecord | None:
        """A key by the hash of its secret."""

    def list_keys(self, team_id: str | None = None, *, report: Report = ...) -> list[KeyRecord]:
        """All keys, or a team's, by alias.

        Args:
            team_id: Only those of this team; None for all.
            report: Told of each that cannot be read and is left out; by default the log is.
        """

    def page_of_keys(self, team_id: str | None, skipped: int, limit: int) -> list[KeyRecord]:
        """Keys as list_keys has them, without the first ones; those that cannot be read are left out."""

    def count_keys(self, team_id: str | None = None) -> int:
        """Count the secrets of all keys, or of a team's."""

    def list_secrets(self, key_id: str) -> list[KeyRecord]:
        """All secrets of a key: one, or more after a rotation."""

    def add_key(self, key: KeyRecord) -> None:
        """Adds a key, or one more secret of a key.

        Raises:
            AliasTakenError: A key with another key_id has its alias.
        """

    def change_key(self, token: str, change: Callable[[KeyRecord], KeyRecord]) -> KeyRecord | None:
        """Changes a key in a transaction; None if there is none.

        Raises:
            AliasTakenError: As for add_key.
        """

    def delete_key(self, token: str) -> KeyRecord | None:
        """Deletes a key and frees its alias; the key, None if there is none."""

    def get_team(self, team_id: str) -> TeamRecord | None:
        """A team."""

    def count_teams(self) -> int:
        """Count the teams."""

    def list_teams(self, *, report: Report = ...) -> list[TeamRecord]:
        """All teams, by id; as for list_keys."""

    def changed_owners(self, since: datetime | None, *, report: Report = ...) -> set[str]:
        """Keys and teams that were changed from then on, as owners of budgets; None: all of them.

        What cannot be told the owner of is reported as for list_keys.
        """

    def find_owners(self, owners: Collection[str], *, report: Report = ...) -> list[KeyRecord | TeamRecord]:
        """The keys, with each of their secrets, and teams that those owners are; report as for list_keys."""

    def page_of_teams(self, skipped: int, limit: int) -> list[TeamRecord]:
        """Teams by id, without the first ones; those that cannot be read are left out."""

    def change_team(
        self, team_id: str, change: Callable[[TeamRecord | None], TeamRecord | None]
    ) -> TeamRecord | None:
        """Adds or changes a team in a transaction.

        Args:
            team_id: Id.
            change: Given the team as it stands (None: there is none), the team as it shall stand, or
                None to leave it.

        Raises:
            TeamDeletedError: There was a team with this id.
        """

    def delete_team(self, team_id: str) -> None:
        """Deletes a team for good: jobs and spend on record carry its id, so no other team gets it."""

    def take(self, counter: str, minute: str, portion: int, limit: int) -> int:
        """Takes up to a portion out of what a limit leaves of a counter in a minute; 0 if nothing is left."""


class AuditEntry(msgspec.Struct, frozen=True):
    """Who did what, when, and what came of it.

    Attributes:
        time: When.
        actor: Alias of the key.
        action: ``job.create``, ``key.update``, ``team.delete`` and the like.
        target: What it was done to: a resource name, a key's alias, a team's id.
        outcome: ``OK`` or the status and reason of the error.
    """

    time: datetime
    actor: str
    action: str
    target: str
    outcome: str


class Audit(Protocol):
    """The audit trail: entries are added, never changed."""

    def append(self, entry: AuditEntry) -> None:
        """Adds an entry.

        Raises:
            StoreUnavailableError: Firestore does not answer.
        """

    def read(self, start: datetime | None, end: datetime | None, limit: int) -> list[AuditEntry]:
        """Entries with ``start <= time < end``, the newest first, at most ``limit``."""
