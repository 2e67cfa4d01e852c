"""Keys that nobody has, counted by where they come from.

Looking up a key costs a read of Firestore, also for whoever tries one after the other. So once an address, or
a beginning, has brought too many unknown keys within a minute, a key that is new to this instance is looked
up only when it is sent again, a second later or more. Whoever goes through keys does not do that; whoever has
a key tries again as he is told to, and is let in: nobody is locked out by somebody else's attempts. Keys that
were good here before do not come this way.
"""

from collections import OrderedDict
from typing import TypeVar

from batch_gateway.core.access.keys import token_of
from batch_gateway.core.errors import ApiError
from batch_gateway.logs import log

ALLOWED = 30
"""Unknown keys a minute that one source may bring before it is slowed down."""
PAUSE_SECONDS = 1
_WINDOW_SECONDS = 60.0
_REMEMBERED = 10_000
"""Of a kind: keys, sources, and keys that are to come again."""
_PREFIX = 8
"""Characters of a key by which attempts at the rest of it are told."""

_Kept = TypeVar("_Kept")


class GuessLimiter:
    """Counts for one instance. Whoever calls it holds a lock."""

    def __init__(self) -> None:
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._put_off: OrderedDict[str, float] = OrderedDict()

    def check(self, secret: str, address: str, now: float) -> None:
        """Puts off a key that is to be looked up, if its source has brought too many that nobody has.

        Args:
            secret: The key.
            address: Where it comes from.
            now: In seconds.

        Raises:
            ApiError: RESOURCE_EXHAUSTED, with the seconds until the same key is looked up.
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
            "Many keys that nobody has were sent from your address, or with this beginning, so a key that is "
            f"new here is looked up only when it comes again. Send the same again in {PAUSE_SECONDS} s.",
            retry_after=PAUSE_SECONDS,
        )

    def record(self, secret: str, address: str, now: float) -> None:
        """Counts a key that was looked up and is nobody's."""
        for source in _sources(secret, address):
            count = self._count(source, now) + 1
            begun = self._counts[source][0] if count > 1 else now
            keep_latest(self._counts, source, (begun, count))
            if count == ALLOWED:
                kind, _, value = source.partition(":")
                # A beginning is not said: it may be that of a good key.
                where = value if kind == "address" else None
                log("WARNING", "many unknown keys", event="keys.guessed", by=kind, address=where, keys=count)

    def _count(self, source: str, now: float) -> int:
        begun, count = self._counts.get(source, (now, 0))
        return count if now - begun < _WINDOW_SECONDS else 0


def _sources(secret: str, address: str) -> tuple[str, str]:
    return (f"address:{address}", f"prefix:{token_of(secret[:_PREFIX])}")


def keep_latest(kept: OrderedDict[str, _Kept], name: str, value: _Kept) -> None:
    """Remembers a value, and forgets the oldest where there are too many."""
    kept[name] = value
    kept.move_to_end(name)
    if len(kept) > _REMEMBERED:
        kept.popitem(last=False)
