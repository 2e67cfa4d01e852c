"""Events on their way out: where they are kept, and where they go to."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from batch_gateway.core.notify.notifications import Event
from batch_gateway.ports.records import Unreadable


class Outbox(Protocol):
    """Events until they have arrived. Every method raises StoreUnavailableError if it does not answer."""

    def add_event(self, event: Event) -> bool:
        """Notes an event, unless one with its id is there; whether it was noted."""

    def claim_events(self, now: datetime, limit: int) -> Sequence[Event | Unreadable]:
        """Takes events on that are due, those first that have been for the longest.

        Nobody else is given them until LEASE has passed: then they are due again, unless amended.
        """

    def amend_event(self, event_id: str, change: Callable[[Event], Event | None]) -> Event | None:
        """Changes an event.

        Args:
            event_id: Its id.
            change: Given the event as it stands, as it shall stand, or None to leave it.

        Returns:
            The changed event; None if it was left, or there is none.
        """


class Endpoint(NamedTuple):
    """A key's webhook: where it goes to, and the secret that it is signed with (``whsec_…``)."""

    url: str
    secret: str


class Endpoints(Protocol):
    """The webhooks of keys. Every method raises StoreUnavailableError if Firestore does not answer."""

    def endpoint_of(self, key_id: str) -> Endpoint | None:
        """A key's webhook; None if it has none, or there is no such key."""

    def disable_endpoint(self, key_id: str, url: str) -> None:
        """Takes a key's webhook away, if it still is this one: the receiver wants no more."""


class UnreachableError(Exception):
    """No answer came; the message says why, without the URL's path, query or anything secret."""


class Reply(NamedTuple):
    """What a receiver answered: HTTP status, and the Retry-After header if there was one."""

    status: int
    retry_after: str | None = None


class Receivers(Protocol):
    """Where webhooks go to."""

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Sends a JSON body.

        Raises:
            UnreachableError: No answer came.
            ForbiddenUrlError: The URL, or what its name resolves to, is not of the public internet.
        """


class Topic(Protocol):
    """A Pub/Sub topic."""

    def publish(self, body: bytes, attributes: Mapping[str, str]) -> None:
        """Publishes a message.

        Raises:
            UnreachableError: It was not taken.
        """
