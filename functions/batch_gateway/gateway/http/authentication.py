"""Authenticate callers by their keys, and cache the keys for a short time."""

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from threading import Lock

from batch_gateway.core.access.callers import Caller, authenticate_master, invalid_key, missing_key
from batch_gateway.core.access.keys import (
    KeyRecord,
    TeamRecord,
    budget_of_key,
    budget_of_team,
    token_of,
)
from batch_gateway.gateway.http.last_uses import LastUses
from batch_gateway.gateway.http.wrong_keys import GuessLimiter, keep_latest
from batch_gateway.logs import log
from batch_gateway.ports import KeyStore, StoreUnavailableError

REVOCATION_SECONDS = 10.0
"""Lifetime of a cached key: a change to a key takes effect within this time."""
_OUTAGE_SECONDS = 600.0
"""Lifetime of a cached key while Firestore is down (keys cannot change then either)."""

_Found = tuple[KeyRecord, TeamRecord | None]


class Authenticator:
    """Authenticates secrets; one for each instance.

    Attributes:
        uses: The uses of keys that have yet to be written.
    """

    def __init__(
        self,
        master_key: str | None,
        keys: KeyStore,
        clock: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        self._master_key = master_key
        self._keys = keys
        self._clock = clock
        self._now = now
        self._lock = Lock()
        self._read: OrderedDict[str, tuple[float, _Found]] = OrderedDict()
        # Kept apart, so that any number of wrong keys cannot push valid ones out of the cache.
        self._unknown: OrderedDict[str, float] = OrderedDict()
        self._guesses = GuessLimiter()
        self.uses = LastUses(keys, now)

    def authenticate(self, secret: str | None, address: str = "") -> Caller:
        """Return the caller that a secret belongs to.

        Args:
            secret: The key as it was sent.
            address: Address of the client; unknown keys are counted by it.

        Raises:
            ApiError: The key is missing, unknown, expired or disabled, its team was deleted, or too many
                unknown keys came from its source, so that it has to be sent again.
            StoreUnavailableError: The key is not cached here and cannot be looked up.
        """
        if not secret:
            raise missing_key()
        master = authenticate_master(secret, self._master_key)
        if master is not None:
            return master
        found = self._find(secret, address)
        if found is None:
            raise invalid_key(
                "is not known to this gateway",
                "Check that it was copied whole, or ask the gateway's administrator for another one. "
                "(A Google access token is not a gateway key.)",
            )
        key, team = found
        if key.expires is not None and key.expires <= self._now():
            raise invalid_key(f"expired at {key.expires:%Y-%m-%d %H:%M:%S} UTC")
        if key.blocked:
            raise invalid_key("is disabled", "Ask the gateway's administrator to enable it.")
        if team is not None and team.blocked:
            raise invalid_key(
                "belongs to a disabled team", "Ask the gateway's administrator to enable the team."
            )
        if key.team_id and team is None:
            raise invalid_key("belongs to a team that was deleted")
        self.uses.note(key)
        if key.role == "admin":
            return Caller(api_key=key.key_alias)
        return Caller(
            api_key=key.key_alias,
            team=key.team_id,
            key_id=key.key_id,
            grants=(key.grant, team.grant) if team else (key.grant,),
            budgets=tuple(
                limit for limit in (budget_of_key(key), budget_of_team(team) if team else None) if limit
            ),
            label_policies=(team.labels, key.labels) if team else (key.labels,),
            is_viewer=key.role == "viewer",
        )

    def _find(self, secret: str, address: str) -> _Found | None:
        now, token = self._clock(), token_of(secret)
        read_at, found = self._read.get(token, (float("-inf"), None))
        if now - read_at < REVOCATION_SECONDS:
            return found
        if found is None:
            with self._lock:
                if now - self._unknown.get(token, float("-inf")) < REVOCATION_SECONDS:
                    return None
                self._guesses.check(secret, address, now)
        try:
            key = self._keys.get_key(token)
            fresh = (key, self._keys.get_team(key.team_id) if key.team_id else None) if key else None
        except StoreUnavailableError as error:
            if found is None or now - read_at > _OUTAGE_SECONDS:
                raise
            log("WARNING", "key not refreshed", api_key=found[0].key_alias, error=error)
            return found
        with self._lock:
            if fresh is None:
                self._read.pop(token, None)
                keep_latest(self._unknown, token, now)
                self._guesses.record(secret, address, now)
            else:
                keep_latest(self._read, token, (now, fresh))
        return fresh
