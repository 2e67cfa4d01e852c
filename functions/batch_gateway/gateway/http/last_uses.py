"""Note the hour in which each key was last used, without making any caller wait.

An instance writes it at most once for each key and hour, after the answer to a request was sent, and not at
all if another instance has. It is a hint for people: what cannot be written is left out until the next hour.
"""

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from threading import Lock

from werkzeug.wrappers import Response

from batch_gateway.core.access.keys import KeyRecord
from batch_gateway.gateway.http.wrong_keys import keep_latest
from batch_gateway.logs import log
from batch_gateway.ports import KeyStore, StoreUnavailableError


class LastUses:
    """The uses of keys that are not on record yet; one for each instance."""

    def __init__(self, keys: KeyStore, now: Callable[[], datetime]) -> None:
        self._keys = keys
        self._now = now
        self._lock = Lock()
        self._noted: OrderedDict[str, datetime] = OrderedDict()
        self._unwritten: dict[str, datetime] = {}

    def note(self, key: KeyRecord) -> None:
        """Note that a key is used now."""
        hour = self._now().replace(minute=0, second=0, microsecond=0)
        if key.last_used_at is not None and key.last_used_at >= hour:
            return
        with self._lock:
            if self._noted.get(key.token) != hour:
                keep_latest(self._noted, key.token, hour)
                self._unwritten[key.token] = hour

    def write_after(self, response: Response) -> None:
        """Have what was noted written once a response is sent."""
        if self._unwritten:
            response.call_on_close(self._write)

    def _write(self) -> None:
        with self._lock:
            unwritten, self._unwritten = self._unwritten, {}
        for token, hour in unwritten.items():
            try:
                self._keys.note_use(token, hour)
            except StoreUnavailableError as error:
                log("WARNING", "last use of a key not stored", error=error)
                return
