"""Slow down clients that guess keys.

Looking up a key costs a read of Firestore, even for a client that tries one key after another. So once too
many unknown keys have come from one address, or with one prefix, within a minute, a key that is new to this
instance is looked up only when it is sent again, at least a second later. A client that guesses does not send
the same key twice; one with a valid key retries as the error tells it to, and gets in. So nobody is locked
out by somebody else's attempts. Keys that are in the cache are not affected.
"""

from collections import OrderedDict
from typing import TypeVar

from batch_gateway.core.access.keys import token_of
from batch_gateway.core.errors import ApiError
from batch_gateway.logs import log

ALLOWED = 30
"""Unknown keys per minute that one source may send before it is slowed down."""
PAUSE_SECONDS = 1
_WINDOW_SECONDS = 60.0
_REMEMBERED = 10_000
"""Most entries of each kind: cached keys, unknown keys, sources, and keys to be sent again."""
_PREFIX = 8
"""Characters of a key that count as its prefix: attempts to guess the rest share them."""

_Kept = TypeVar("_Kept")


class GuessLimiter:
    """Counter of unknown keys for one instance; callers must hold a lock."""

    def __init__(self) -> None:
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._put_off: OrderedDict[str, float] = OrderedDict()

    def check(self, secret: str, address: str, now: float) -> None:
        """Reject a key that is about to be looked up, if its source has sent too many unknown ones.

        Args:
            secret: The key.
            address: Address of the client.
            now: Monotonic seconds.

        Raises:
            ApiError: RESOURCE_EXHAUSTED, with the seconds after which the same key will be looked up.
        """
        if all(self._count(source, now) < ALLOWED for source in _sources(secret, address)):
            return
        token = token_of(secret)
        first = self._put_off.get(token)
        if first is not None and now - first >= PAUSE_SECONDS:
            del self._put_off[token]
            return
        if first is None:
            keep_latest(self._put_off, token, now)
        raise ApiError(
            "RESOURCE_EXHAUSTED",
            "KEY_ATTEMPTS_EXCEEDED",
            "Many unknown keys were sent from your address or with the same first characters, so a new key "
            f"is looked up only when it is sent twice. Send the same request again in {PAUSE_SECONDS} s.",
            retry_after=PAUSE_SECONDS,
        )

    def record(self, secret: str, address: str, now: float) -> None:
        """Count a key that was looked up and is unknown."""
        for source in _sources(secret, address):
            count = self._count(source, now) + 1
            begun = self._counts[source][0] if count > 1 else now
            keep_latest(self._counts, source, (begun, count))
            if count == ALLOWED:
                kind, _, value = source.partition(":")
                # The prefix is not logged: it may be that of a valid key.
                where = value if kind == "address" else None
                log("WARNING", "many unknown keys", event="keys.guessed", by=kind, address=where, keys=count)

    def _count(self, source: str, now: float) -> int:
        begun, count = self._counts.get(source, (now, 0))
        return count if now - begun < _WINDOW_SECONDS else 0


def _sources(secret: str, address: str) -> tuple[str, str]:
    return (f"address:{address}", f"prefix:{token_of(secret[:_PREFIX])}")


def keep_latest(kept: OrderedDict[str, _Kept], name: str, value: _Kept) -> None:
    """Store a value, and drop the oldest if there are too many."""
    kept[name] = value
    kept.move_to_end(name)
    if len(kept) > _REMEMBERED:
        kept.popitem(last=False)
