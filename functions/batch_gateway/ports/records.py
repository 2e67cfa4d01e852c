"""Records that are at fault themselves."""

from typing import NamedTuple


class RecordError(Exception):
    """Firestore does not take such a record, or holds one that cannot be read. Trying again is no help."""


class Unreadable(NamedTuple):
    """A record that is there and cannot be read: ``collection/name``, and what is wrong with it."""

    name: str
    problem: str
