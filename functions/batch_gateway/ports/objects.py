"""Define access to Cloud Storage."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Protocol

import msgspec


class ObjectsUnavailableError(OSError):
    """Cloud Storage did not answer, or denied access. The operation may be retried."""


class ObjectsRefusedError(ObjectsUnavailableError):
    """Cloud Storage denied access, or has no such bucket: only an administrator can change that."""


class ObjectExistsError(Exception):
    """There is an object with that name already; nothing was written."""


class ObjectChangedError(Exception):
    """An object was overwritten or deleted while it was read."""


class ObjectInfo(msgspec.Struct, frozen=True):
    """An object: name in its bucket, generation, size in bytes, and time of writing."""

    name: str
    generation: int
    size: int
    created: datetime


class ObjectStore(Protocol):
    """Cloud Storage. Every method raises ObjectsUnavailableError if it does not answer."""

    def stat(self, bucket: str, name: str) -> ObjectInfo | None:
        """Return the live object; None if there is none."""

    def read(self, bucket: str, name: str, generation: int, start: int = 0) -> Iterator[bytes]:
        """Stream one generation in chunks, from byte ``start`` on.

        Raises:
            ObjectChangedError: The generation no longer exists.
        """

    def list(self, bucket: str, prefix: str) -> Iterable[ObjectInfo]:
        """List live objects whose names begin with the prefix."""

    def create(self, bucket: str, name: str, data: bytes, content_type: str) -> None:
        """Write a new object.

        Raises:
            ObjectExistsError: There is an object with that name; it is not overwritten.
        """

    def begin_upload(self, bucket: str, name: str, content_type: str) -> str:
        """Begin a resumable upload of a new object.

        Returns:
            The URL of the session, to which any HTTP client may PUT the object without credentials. An object
            that is there when the upload ends is not overwritten: the PUT answers 412.
        """
