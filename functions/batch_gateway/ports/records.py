"""Define errors about single records."""

from typing import NamedTuple


class RecordError(Exception):
    """Firestore rejects a record, or holds one that cannot be read. Retrying does not help."""


class Unreadable(NamedTuple):
    """A record that exists but cannot be read: ``collection/name``, and the problem."""

    name: str
    problem: str
