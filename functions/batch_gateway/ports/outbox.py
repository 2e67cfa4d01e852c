"""Define the outbox of events, and the receivers that they are delivered to."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from batch_gateway.core.notify.events import Event
from batch_gateway.ports.records import Unreadable


class Outbox(Protocol):
    """Events to be delivered. Every method raises StoreUnavailableError if Firestore does not answer."""

    def add_event(self, event: Event) -> bool:
        """Add an event unless one with its id is there; return whether it was added."""

    def claim_events(self, now: datetime, limit: int) -> Sequence[Event | Unreadable]:
        """Claim due events, the longest due first.

        No other call returns them until LEASE has passed: then they are due again, unless amended.
        """

    def latest_events(self, kind: str, limit: int) -> Sequence[Event]:
        """Return the latest events of a type, the newest first; those that cannot be read are left out."""

    def amend_event(self, event_id: str, change: Callable[[Event], Event | None]) -> Event | None:
        """Change an event.

        Args:
            event_id: Id of the event.
            change: Takes the current event, and returns the new one, or None to change nothing.

        Returns:
            The new event; None if nothing was changed or there is no such event.
        """


class Endpoint(NamedTuple):
    """A key's webhook: its URL, and the secret for its signatures (``whsec_…``)."""

    url: str
    secret: str


class Endpoints(Protocol):
    """The webhooks of keys. Every method raises StoreUnavailableError if Firestore does not answer."""

    def endpoint_of(self, key_id: str) -> Endpoint | None:
        """Return a key's webhook; None if it has none, or there is no such key."""

    def disable_endpoint(self, key_id: str, url: str) -> None:
        """Remove a key's webhook if its URL is still this one: the receiver wants no more events."""


class UnreachableError(Exception):
    """No answer came; the message says why, without the URL's path, its query or a secret."""


class Reply(NamedTuple):
    """A receiver's answer: HTTP status, and the Retry-After header if there was one."""

    status: int
    retry_after: str | None = None


class Receivers(Protocol):
    """The receivers of webhooks."""

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send a JSON body.

        Raises:
            UnreachableError: No answer came.
            ForbiddenUrlError: The URL, or an address that its name resolves to, is not public.
        """


class Topic(Protocol):
    """A Pub/Sub topic."""

    def publish(self, body: bytes, attributes: Mapping[str, str]) -> None:
        """Publish a message.

        Raises:
            UnreachableError: It was not accepted.
        """
