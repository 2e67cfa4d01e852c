"""Find the objects of an input, and the sizes of files that its rows name."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

from batch_gateway.core.access import grants
from batch_gateway.core.access.callers import Caller
from batch_gateway.core.errors import ApiError
from batch_gateway.core.estimating.needs import either, snake_case
from batch_gateway.core.estimating.sampling import Object
from batch_gateway.core.estimating.wildcards import MOST_CHARACTERS, matcher, prefix_of
from batch_gateway.core.jobs.record import uris_of
from batch_gateway.logs import log
from batch_gateway.ports import ObjectInfo, ObjectStore, ObjectsUnavailableError

MOST_LISTED = 1000
"""Most objects of an input, over all its URIs."""
MOST_NAMES = 10_000
"""Most names that are listed to find them, over all URIs: ten pages of Cloud Storage."""
MOST_FILES = 50
"""Most files named by rows whose sizes are looked up."""
SECONDS = 15.0
"""Time limit for reading an input; after that the estimate is made from what was read."""


class UnknownError(Exception):
    """An input cannot be estimated; the message says why, as a clause without a full stop."""


def objects_of(store: Callable[[], ObjectStore], uris: Sequence[str], deadline: float) -> list[Object]:
    """Find the objects of an input.

    Args:
        store: Makes the Cloud Storage client.
        uris: The input's URIs, with or without wildcards.
        deadline: Time to stop listing names, by time.monotonic.

    Raises:
        UnknownError: The objects cannot be found or read, or are too many.
    """
    if not uris:
        raise UnknownError("the body names no input in gcsSource or bigquerySource")
    listing = _Listing(store(), deadline)
    found: list[Object] = []
    for uri in uris:
        scheme, _, path = uri.partition("://")
        bucket, _, pattern = path.partition("/")
        if scheme != "gs" or not bucket or not pattern:
            raise UnknownError(f"{uri!r} is not of the form gs://BUCKET/OBJECT")
        try:
            # One more than the limit, to see that there are more.
            listed = list(islice(listing.matching(bucket, pattern), MOST_LISTED + 1 - len(found)))
        except ObjectsUnavailableError as error:
            log("WARNING", "input not listed", uri=uri, error=error)
            raise UnknownError(f"the gateway cannot read {uri} now") from error
        except ValueError as error:
            raise UnknownError(f"{uri} names no object: {error}") from error
        if not listed:
            raise UnknownError(f"there is no object {uri}, or the gateway may not read it")
        found += listed
        if len(found) > MOST_LISTED:
            raise UnknownError(f"the input has more than {MOST_LISTED:,} objects")
    return found


def objects_in(store: Callable[[], ObjectStore], source: Any, deadline: float) -> list[Object]:
    """Find the objects of an inputConfig that is to be read whole.

    Args:
        store: As in ``objects_of``.
        source: The inputConfig, in whatever form the caller sent it.
        deadline: As in ``objects_of``.

    Raises:
        UnknownError: It is not, or not only, rows of JSON in Cloud Storage, or cannot be found.
    """
    if not isinstance(source, dict):
        raise UnknownError("the body has no inputConfig")
    fields = {"instances_format", "gcs_source"}
    if extra := sorted(name for name in source if snake_case(name) not in fields):
        raise UnknownError(f"{extra[0]} names input beside gcsSource, which is not read")
    if either(source, "instancesFormat") not in {None, "jsonl"}:
        raise UnknownError("only rows of instancesFormat jsonl can be read")
    found = objects_of(store, uris_of(either(either(source, "gcsSource"), "uris")), deadline)
    if folder := next((each for each in found if each.name.endswith("/")), None):
        raise UnknownError(f"{folder.uri} may be read as all that is in a folder; name the files in it")
    return found


class _Listing:
    """Listing of an input's objects, limited in names and time."""

    def __init__(self, objects: ObjectStore, deadline: float) -> None:
        self._objects = objects
        self._deadline = deadline
        self._names = 0

    def matching(self, bucket: str, pattern: str) -> Iterator[Object]:
        """Yield the objects that a name or a pattern matches.

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
        """Count a listed name, whether it matches or not; return True.

        Raises:
            UnknownError: There are too many names, or the time is up.
        """
        self._names += 1
        if self._names > MOST_NAMES:
            raise UnknownError(
                f"more than {MOST_NAMES:,} names begin like the input's URIs, at gs://{bucket}/{prefix}; "
                "write more of the name before the first wildcard"
            )
        if time.monotonic() >= self._deadline:
            raise UnknownError(f"the input's objects could not be listed within {SECONDS:g} s; name fewer")
        return True


class FileSizes:
    """Look-up of sizes of files that rows name: a few only, and only those that the caller may read."""

    def __init__(self, objects: Callable[[], ObjectStore], caller: Caller, deadline: float) -> None:
        self._objects = objects
        self._caller = caller
        self._deadline = deadline
        self._sizes: dict[str, int | None] = {}

    def __call__(self, uri: str) -> int | None:
        """Return a file's size in bytes; None if it is unknown, or the caller may not know it."""
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
        """Return whether the caller may read a file.

        The gateway's own account may read more, so a size would reveal files that the caller may not see.
        """
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
