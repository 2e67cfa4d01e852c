"""Hold the files that rows name against the URI prefixes that a key and its team were granted."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

import msgspec

from batch_gateway.core.access.grants import is_granted, normalize_uri
from batch_gateway.core.access.limits import Grant
from batch_gateway.core.access.row_uris import BY_NUMBER, PLACE, TooManyError, uris_in
from batch_gateway.core.json_io import UNREADABLE

_MOST_REMEMBERED = 10_000
_LONGEST = 4_096
"""Longest URI that is remembered: an object's name has 1,024 bytes at most."""
_SPACE = "\ufffd"
"""Stands for a space in a name, which may not be in a prefix but often is in names of documents."""
_ANSWERS = frozenset({"response", "prediction", "predictions"})
"""Members of output rows that are not from the caller: models and retrieval cite sources by their URI."""

_SEGMENT = r"[A-Za-z0-9_-][A-Za-z0-9._-]*+"
_PLAIN = re.compile(rf"gs:/(?:/{_SEGMENT})+")
"""A URI that is read in one way only, whoever reads it."""

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
        self._is_doubtful = re.compile(_doubtful(self._prefixes)).search

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
        for number, line in enumerate(lines):
            if self._is_doubtful(line) or BY_NUMBER.search(line):
                for uri in uris_in(line):
                    if not self._allows(uri):
                        return Denied(uri, number)
        return None

    def find_denied_in_output(self, lines: Iterable[bytes]) -> str | None:
        """Return a URI outside the grants that lines of output repeat from their input; None if none does.

        Args:
            lines: Lines with their line feeds.
        """
        for line in filter(self._is_doubtful, lines):
            for uri in _readable_uris(line):
                if not self._allows(uri) and _is_echoed(line, uri):
                    return uri
        return None

    def _allows(self, uri: str) -> bool:
        verdict = self._verdicts.get(uri)
        if verdict is None:
            written = uri.replace(" ", _SPACE)
            verdict = all(is_granted(prefixes, written) for prefixes in self._prefixes)
            if len(self._verdicts) < _MOST_REMEMBERED and len(uri) <= _LONGEST:
                self._verdicts[uri] = verdict
        return verdict


def _doubtful(granted: Iterable[Sequence[str]]) -> bytes:
    """Return a pattern for a place where a URI may begin that is not plainly below a prefix of all owners.

    Most lines have none, and are passed over by one search.
    """
    granted = tuple(granted)
    prefixes = {(normalize_uri(prefix) or "").rstrip("/") for prefixes in granted for prefix in prefixes}
    common = [
        prefix.removeprefix("gs:/")
        for prefix in prefixes
        if _PLAIN.fullmatch(prefix) and all(is_granted(each, prefix) for each in granted)
    ]
    if not common:
        return PLACE
    # Between the first slash, which a place is, and the text's end. Slashes may be escaped.
    rest = rf'(?:{"|".join(map(re.escape, common))})(?:/{_SEGMENT})++"'.replace("/", r"\\?+/")
    return PLACE + rf'(?!(?:(?<="gs:/)|(?<="gs:\\/)){rest})'.encode()


def _readable_uris(line: bytes) -> Iterator[str]:
    """Yield the URIs in a line of output, in which Vertex AI writes letters plainly."""
    with suppress(TooManyError):
        yield from uris_in(line, by_number=False)


def _is_echoed(line: bytes, uri: str) -> bool:
    """Return whether a row of output names a URI outside its answer."""
    try:
        members = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    except UNREADABLE:
        return False
    return any(
        named == uri
        for name, member in members.items()
        if name not in _ANSWERS
        for named in _readable_uris(b'{"":%b}' % bytes(member))
    )
