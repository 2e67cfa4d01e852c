"""Cloud Storage."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Protocol

import msgspec


class ObjectsUnavailableError(OSError):
    """Cloud Storage did not answer, or refused. The operation may be tried again."""


class ObjectChangedError(Exception):
    """The object was overwritten or deleted while it was read."""


class ObjectInfo(msgspec.Struct, frozen=True):
    """An object: name in its bucket, generation, size in bytes, and when it was written."""

    name: str
    generation: int
    size: int
    created: datetime


class ObjectStore(Protocol):
    """Cloud Storage. Every method raises ObjectsUnavailableError if it does not answer."""

    def stat(self, bucket: str, name: str) -> ObjectInfo | None:
        """The live object; None if there is none."""

    def read(self, bucket: str, name: str, generation: int, start: int = 0) -> Iterator[bytes]:
        """Streams one generation in chunks, from a byte on.

        Raises:
            ObjectChangedError: That generation is no longer there.
        """

    def list(self, bucket: str, prefix: str) -> Iterable[ObjectInfo]:
        """Live objects whose names begin with the prefix."""
