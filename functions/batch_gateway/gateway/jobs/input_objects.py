"""Finds the objects of an input, and the sizes of files that its rows name."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice

from batch_gateway.core.access import grants
from batch_gateway.core.access.callers import Caller
from batch_gateway.core.errors import ApiError
from batch_gateway.core.estimating.sampling import Object
from batch_gateway.core.estimating.wildcards import MOST_CHARACTERS, matcher, prefix_of
from batch_gateway.logs import log
from batch_gateway.ports import ObjectInfo, ObjectStore, ObjectsUnavailableError

MOST_LISTED = 1000
"""Objects of an input that are looked at, over all its URIs."""
MOST_NAMES = 10_000
"""Names that are listed to find them, over all URIs: ten pages of Cloud Storage's."""
MOST_FILES = 50
"""Files named by rows whose size is looked up."""
SECONDS = 15.0
"""How long an input is read; after that the estimate is made of what was read."""


class UnknownError(Exception):
    """Why nothing can be said of an input; a sentence's beginning, without its full stop."""


def objects_of(store: Callable[[], ObjectStore], uris: Sequence[str], deadline: float) -> list[Object]:
    """Find the objects of an input.

    Args:
        store: Makes the client of Cloud Storage.
        uris: Of the input, with or without wildcards.
        deadline: Until when names may be listed, by time.monotonic.

    Raises:
        UnknownError: They cannot be told, or are too many.
    """
    if not uris:
        raise UnknownError("the body names no input in gcsSource or bigquerySource")
    listing = _Listing(store(), deadline)
    found: list[Object] = []
    for uri in uris:
        scheme, _, path = uri.partition("://")
        bucket, _, pattern = path.partition("/")
        if scheme != "gs" or not bucket or not pattern:
            raise UnknownError(f"{uri!r} is no gs://BUCKET/OBJECT")
        try:
            # One more than is looked at, to tell that there are more.
            listed = list(islice(listing.matching(bucket, pattern), MOST_LISTED + 1 - len(found)))
        except ObjectsUnavailableError as error:
            log("WARNING", "input not listed", uri=uri, error=error)
            raise UnknownError(f"{uri} cannot be read by the gateway now") from error
        except ValueError as error:
            raise UnknownError(f"{uri} names no object: {error}") from error
        if not listed:
            raise UnknownError(f"there is no object {uri}, or the gateway may not read it")
        found += listed
        if len(found) > MOST_LISTED:
            raise UnknownError(f"the input has more than {MOST_LISTED:,} objects")
    return found


class _Listing:
    """Finds the objects of an input, in so many names and so much time."""

    def __init__(self, objects: ObjectStore, deadline: float) -> None:
        self._objects = objects
        self._deadline = deadline
        self._names = 0

    def matching(self, bucket: str, pattern: str) -> Iterator[Object]:
        """Yield the objects that a name or a pattern means.

        Raises:
            ValueError: The pattern could match nothing.
            UnknownError: Too many names would have to be looked at, or for too long.
        """
        if len(pattern) > MOST_CHARACTERS:
            raise ValueError(f"a name has at most {MOST_CHARACTERS} characters")
        prefix = prefix_of(pattern)
        if prefix is None:
            self._count(bucket, pattern)
            found = self._objects.stat(bucket, pattern)
            infos: Iterable[ObjectInfo] = [found] if found else []
        else:
            matches = matcher(pattern)
            listed = self._objects.list(bucket, prefix)
            infos = (info for info in listed if self._count(bucket, prefix) and matches(info.name))
        return (Object(bucket, info.name, info.generation, info.size) for info in infos)

    def _count(self, bucket: str, prefix: str) -> bool:
        """Count a name that is looked at, whether it matches or not."""
        self._names += 1
        if self._names > MOST_NAMES:
            raise UnknownError(
                f"more than {MOST_NAMES:,} names begin as the input's do, last gs://{bucket}/{prefix}; "
                "write more of them before the first wildcard"
            )
        if time.monotonic() >= self._deadline:
            raise UnknownError(f"the input's objects could not be listed within {SECONDS:g} s; name fewer")
        return True


class FileSizes:
    """Sizes of files that rows name: of those that the caller was granted, and of a few only."""

    def __init__(self, objects: Callable[[], ObjectStore], caller: Caller, deadline: float) -> None:
        self._objects = objects
        self._caller = caller
        self._deadline = deadline
        self._sizes: dict[str, int | None] = {}

    def __call__(self, uri: str) -> int | None:
        """Return a file's size in bytes; None if it cannot be told, or is not the caller's to know."""
        if uri in self._sizes:
            return self._sizes[uri]
        if len(self._sizes) >= MOST_FILES or time.monotonic() >= self._deadline or not self._may_see(uri):
            return None
        self._sizes[uri] = None
        with suppress(ObjectsUnavailableError):
            bucket, _, name = uri.removeprefix("gs://").partition("/")
            found = self._objects().stat(bucket, name)
            self._sizes[uri] = found.size if found else None
        return self._sizes[uri]

    def _may_see(self, uri: str) -> bool:
        """Whether the caller may read it: our account may read more, and its answer tells what is there."""
        normal = grants.normalize_uri(uri)
        if normal is None or not normal.startswith("gs://") or "*" in uri:
            return False
        try:
            for grant in self._caller.grants:
                if grant.allowed_uri_prefixes:
                    grants.check_uri(grant.allowed_uri_prefixes, uri)
        except ApiError:
            return False
        return True
