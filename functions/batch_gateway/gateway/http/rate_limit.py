"""Limit requests per minute, across instances.

The allowance of a key or team for each minute is counted in Firestore, and instances take it in portions
of a tenth. So no more than ``rpm_limit`` requests pass in a calendar minute however many instances
there are, and a request costs a transaction only when a portion is used up. An instance's unused portion
is lost to the others until the minute ends: with N instances, up to (N - 1) tenths may be
rejected early. Limits under 20 are taken one request at a time and lose nothing.
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
    """Counter of the requests of scoped keys; one for each instance."""

    def __init__(self, keys: KeyStore, now: Callable[[], datetime]) -> None:
        self._keys = keys
        self._now = now
        self._lock = Lock()
        self._left: dict[str, tuple[str, int]] = {}

    def check(self, caller: Caller) -> None:
        """Count a request.

        Raises:
            ApiError: RESOURCE_EXHAUSTED with the seconds until the next minute: a limit is used up.
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
            # The limit is not worth rejecting requests that would otherwise work.
            log("WARNING", "request not counted against the rate limit", counter=counter, error=error)
            return True
        with self._lock:
            of_minute, left = self._left.get(counter, ("", 0))
            left = taken + (left if of_minute == minute else 0)
            # A used-up allowance stays used up until the minute ends: no need to ask again.
            self._left[counter] = (minute, left - 1 if left > 0 else _USED_UP)
        return left > 0
