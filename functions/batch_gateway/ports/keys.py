"""Define the stores of API keys and teams, and of the audit trail."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Annotated, Any, Protocol

import msgspec
from msgspec import Meta

from batch_gateway.core.access.keys import KeyRecord, TeamRecord
from batch_gateway.core.answers import Time
from batch_gateway.ports.records import Unreadable

ACTIONS = (
    *("job.create", "job.cancel", "job.delete", "job.resume", "input.create"),
    *("costs.reprice", "price.set", "price.delete"),
    *("key.generate", "key.update", "key.regenerate", "key.delete"),
    *("team.new", "team.update", "team.delete"),
)
"""Actions in the audit trail; routes name them."""
_MAYBE = {"type": ["object", "null"]}
_CHANGE = {"required": ["before", "after"], "properties": {"before": _MAYBE, "after": _MAYBE}}


class AliasTakenError(Exception):
    """Another key has the alias."""


class TeamDeletedError(Exception):
    """A team with the id was deleted, and its id is never used again."""


Report = Callable[[Unreadable], None]
"""Called with each record that is left out because it cannot be read."""


class KeyStore(Protocol):
    """API keys and teams. Every method raises StoreUnavailableError if Firestore does not answer."""

    def get_key(self, token: str) -> KeyRecord | None:
        """Return a key by the hash of its secret; None if there is none."""

    def list_keys(self, team_id: str | None = None, *, report: Report = ...) -> list[KeyRecord]:
        """Return all keys, or a team's, ordered by alias.

        Args:
            team_id: Team of the keys; None for all keys.
            report: Called with each key that cannot be read and is left out; logs it by default.
        """

    def page_of_keys(self, team_id: str | None, skipped: int, limit: int) -> list[KeyRecord]:
        """Return a page of list_keys after the first ``skipped`` ones; unreadable keys are left out."""

    def count_keys(self, team_id: str | None = None) -> int:
        """Count the secrets of all keys, or of a team's."""

    def list_secrets(self, key_id: str) -> list[KeyRecord]:
        """Return a record for each secret of a key: one, or more after a rotation."""

    def add_key(self, key: KeyRecord) -> None:
        """Add a key, or another secret of a key.

        Raises:
            AliasTakenError: A key with another key_id has its alias.
        """

    def change_key(self, token: str, change: Callable[[KeyRecord], KeyRecord]) -> KeyRecord | None:
        """Change a key in a transaction, and return it; None if there is none.

        Raises:
            AliasTakenError: As for add_key.
        """

    def rotate_key(
        self, token: str, rotate: Callable[[KeyRecord], tuple[KeyRecord, KeyRecord]]
    ) -> tuple[KeyRecord, KeyRecord] | None:
        """Change a secret of a key, and add another with the same alias, in one transaction.

        Args:
            token: Hash of the secret.
            rotate: Takes its record, and returns the new one and that of the other secret.

        Returns:
            The record before and that of the other secret; None if there is no such secret.
        """

    def delete_key(self, token: str) -> KeyRecord | None:
        """Delete a key and free its alias; return the key, None if there was none."""

    def note_use(self, token: str, hour: datetime) -> None:
        """Set when a key was last used; do nothing if there is no such key. ``updated_at`` stays."""

    def get_team(self, team_id: str) -> TeamRecord | None:
        """Return a team; None if there is none."""

    def count_teams(self) -> int:
        """Count the teams."""

    def list_teams(self, *, report: Report = ...) -> list[TeamRecord]:
        """Return all teams, ordered by id; ``report`` is as for list_keys."""

    def changed_owners(self, since: datetime | None, *, report: Report = ...) -> set[str]:
        """Return the owners (``key:ID``, ``team:ID``) that were changed since a time; None for all of them.

        Records whose owner cannot be read are reported as for list_keys.
        """

    def find_owners(self, owners: Collection[str], *, report: Report = ...) -> list[KeyRecord | TeamRecord]:
        """Return owners' records: a key's for each secret, and teams'; ``report`` is as for list_keys."""

    def page_of_teams(self, skipped: int, limit: int) -> list[TeamRecord]:
        """Return a page of teams by id after the first ``skipped`` ones; unreadable teams are left out."""

    def change_team(
        self, team_id: str, change: Callable[[TeamRecord | None], TeamRecord | None]
    ) -> TeamRecord | None:
        """Add or change a team in a transaction.

        Args:
            team_id: Id of the team.
            change: Takes the current team (None if there is none), and returns the new one, or None to change
                nothing.

        Returns:
            The new team; None if nothing was changed.

        Raises:
            TeamDeletedError: A team with this id was deleted.
        """

    def delete_team(self, team_id: str) -> None:
        """Delete a team. Its id is never used again, since jobs and spend on record carry it."""

    def take(self, counter: str, minute: str, portion: int, limit: int) -> int:
        """Take up to ``portion`` requests from a counter's limit for a minute; return how many were taken."""


class AuditEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """An entry of the audit trail.

    Attributes:
        time: Time of the action.
        actor: Alias of the caller's key; ``master`` is the master key.
        action: What was done.
        target: The target: a resource name, aliases of keys, or ids of teams.
        outcome: ``OK``, or the status and reason of the error.
        change: Where a key, a team or a price was changed: the fields that differ (of a price all),
            ``before`` (null for a new one) and ``after``. Amounts are decimal strings of USD; secrets are
            left out. For prices also the table and overrides in force since.
    """

    time: Time
    actor: str
    action: Annotated[str, Meta(extra_json_schema={"enum": ACTIONS})]
    target: str
    outcome: str
    change: Annotated[dict[str, Any] | None, Meta(extra_json_schema=_CHANGE)] = None


class Audit(Protocol):
    """The audit trail; entries are added, never changed."""

    def append(self, entry: AuditEntry) -> None:
        """Add an entry.

        Raises:
            StoreUnavailableError: Firestore does not answer.
        """

    def read(
        self, start: datetime | None, end: datetime | None, limit: int, equal: Mapping[str, str] = ...
    ) -> list[AuditEntry]:
        """Return entries with ``start <= time < end``, the newest first, at most ``limit``.

        Args:
            start: None for all up to ``end``.
            end: None for all from ``start`` on.
            limit: Most entries.
            equal: Values of ``actor``, ``action`` and ``target`` that they have.
        """
