"""Hold the files that rows name against the URI prefixes that a key and its team were granted."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

import msgspec

from batch_gateway.core.access.grants import Grant, is_granted
from batch_gateway.core.access.row_uris import Named, TooManyError, uris_in
from batch_gateway.core.json_io import UNREADABLE

_MOST_REMEMBERED = 10_000
_LONGEST = 4_096
"""Longest URI that is remembered: an object's name has 1,024 bytes at most."""
_SPACE = "\ufffd"
"""Stands for a space in a name, which may not be in a prefix but often is in names of documents."""
_ANSWERS = frozenset({"response", "prediction", "predictions"})
"""Members of output rows that are not from the caller: models and retrieval cite sources by their URI."""

UriGrants = dict[str, tuple[str, ...]]
"""The prefixes of a job's ``key`` and ``team``, for each of them that is limited."""


class Denied(NamedTuple):
    """A URI that is outside the grants, and the line that names it, counted from 0."""

    uri: str
    line: int


def uri_grants(grants: Sequence[Grant]) -> UriGrants:
    """Return the prefixes of a key and its team; empty if neither is limited."""
    owners = zip(("key", "team"), grants, strict=False)
    return {owner: grant.allowed_uri_prefixes for owner, grant in owners if grant.allowed_uri_prefixes}


class RowGrants:
    """The prefixes that bound a job's rows; verdicts are remembered, since rows often name the same file."""

    def __init__(self, granted: UriGrants) -> None:
        self._prefixes = tuple(granted.values())
        self._verdicts: dict[str, bool] = {}

    def __str__(self) -> str:
        """Return the prefixes, for a message."""
        return ", ".join(sorted({prefix for prefixes in self._prefixes for prefix in prefixes}))

    def find_denied(self, lines: Iterable[bytes]) -> Denied | None:
        """Return a URI that lines of input name outside the grants; None if there is none.

        Args:
            lines: Lines with their line feeds.

        Raises:
            TooManyError: One of them cannot be searched in a reasonable time.
        """
        data = b"".join(lines)
        for named in uris_in(data):
            if not self._allows(named.uri):
                return Denied(named.uri, data.count(b"\n", 0, named.at))
        return None

    def find_denied_in_output(self, lines: Iterable[bytes]) -> str | None:
        """Return a URI outside the grants that lines of output repeat from their input; None if none does.

        Args:
            lines: Lines with their line feeds.
        """
        data = b"".join(lines)
        for named in _readable_uris(data):
            if not self._allows(named.uri):
                start = data.rfind(b"\n", 0, named.at) + 1
                end = data.find(b"\n", start)
                if _is_echoed(data[start:] if end < 0 else data[start:end], named.uri):
                    return named.uri
        return None

    def _allows(self, uri: str) -> bool:
        verdict = self._verdicts.get(uri)
        if verdict is None:
            written = uri.replace(" ", _SPACE)
            verdict = all(is_granted(prefixes, written) for prefixes in self._prefixes)
            if len(self._verdicts) < _MOST_REMEMBERED and len(uri) <= _LONGEST:
                self._verdicts[uri] = verdict
        return verdict


def _readable_uris(data: bytes) -> Iterator[Named]:
    """Yield the URIs in lines of output, in which Vertex AI writes letters plainly."""
    with suppress(TooManyError):
        yield from uris_in(data, by_number=False)


def _is_echoed(line: bytes, uri: str) -> bool:
    """Return whether a row of output names a URI outside its answer."""
    try:
        members = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    except UNREADABLE:
        return False
    return any(
        named.uri == uri
        for name, member in members.items()
        if name not in _ANSWERS
        for named in _readable_uris(b'{"":%b}' % bytes(member))
    )
