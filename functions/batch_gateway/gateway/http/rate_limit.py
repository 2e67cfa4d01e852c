"""Requests a minute, across instances.

A minute's allowance of a key or team stands in Firestore, and instances take it from there in portions
of a tenth. So no more than ``rpm_limit`` requests pass in a calendar minute however many instances
there are, and a request costs a transaction only when a portion is used up. What an instance has taken
and not used is lost to the others until the minute ends: with N instances, up to (N - 1) tenths may be
refused early. Limits under 20 go one by one and lose nothing.
"""

from collections.abc import Callable
from datetime import datetime
from threading import Lock

from batch_gateway.core.access.callers import Caller
from batch_gateway.core.errors import ApiError
from batch_gateway.logs import log
from batch_gateway.ports import KeyStore, StoreUnavailableError

_PORTIONS = 10
_USED_UP = -1


class RateLimiter:
    """Counts requests of scoped keys; one for each instance."""

    def __init__(self, keys: KeyStore, now: Callable[[], datetime]) -> None:
        self._keys = keys
        self._now = now
        self._lock = Lock()
        self._left: dict[str, tuple[str, int]] = {}

    def check(self, caller: Caller) -> None:
        """Counts a request.

        Raises:
            ApiError: RESOURCE_EXHAUSTED, with the seconds until the next minute.
        """
        now = self._now()
        minute = f"{now:%Y-%m-%dT%H:%M}"
        for counter, limit in caller.rate_limits:
            if not self._take(counter, minute, limit):
                wait = 60 - now.second
                raise ApiError(
                    "RESOURCE_EXHAUSTED",
                    "RATE_LIMIT_EXCEEDED",
                    f"The {counter.partition(':')[0]}'s limit of {limit} requests a minute is used up. "
                    f"Try again in {wait} s, or poll less often.",
                    metadata={"rpm_limit": str(limit)},
                    retry_after=wait,
                )

    def _take(self, counter: str, minute: str, limit: int) -> bool:
        with self._lock:
            of_minute, left = self._left.get(counter, ("", 0))
            if of_minute == minute and left > 0:
                self._left[counter] = (minute, left - 1)
                return True
            if of_minute == minute and left == _USED_UP:
                return False
        try:
            taken = self._keys.take(counter, minute, max(1, limit // _PORTIONS), limit)
        except StoreUnavailableError as error:
            # A limit is no reason to stop what else still works.
            log("WARNING", "rate not counted", counter=counter, error=error)
            return True
        with self._lock:
            of_minute, left = self._left.get(counter, ("", 0))
            left = taken + (left if of_minute == minute else 0)
            # What is used up stays so until the minute ends: no need to ask again.
            self._left[counter] = (minute, left - 1 if left > 0 else _USED_UP)
        return left > 0
