"""Cut text and lists that others wrote to a size that fits into a record, with a count of the rest.

Vertex AI accepts a request of 10 MiB, Firestore a document of 1 MiB with 40,000 index entries and indexed
text of 1,500 bytes ("Usage and limits"). The limits here are far below that, so that every job can be
recorded, whatever it names.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

MOST_TEXT = 1_000
"""Longest name or message, in characters. Vertex AI's own names have 128 at most."""
MOST_PATH = 1_500
"""Longest URI that is looked up, in bytes: an object's name has 1,024 at most, a bucket's 222."""
_SUFFIX = 40
_MOST_URIS = 50
_MOST_URI_CHARACTERS = 8_000
_MOST_LABELS = 64
_MOST_LABEL_BYTES = 256
"""Vertex AI's own limits on labels: 64 of them, with 64 characters per key and value."""
_MOST_ERROR_BYTES = 8_000


def text(value: str, most: int = MOST_TEXT) -> str:
    """Return a text, or its beginning and the number of characters cut, in ``most`` characters at most."""
    if len(value) <= most:
        return value
    head = value[: most - _SUFFIX]
    return f"{head} … ({len(value) - len(head)} characters cut)"


def path(value: str | None) -> str | None:
    """Return a URI; None if it is too long to name anything."""
    return value if value is not None and len(value.encode()) <= MOST_PATH else None


def directory(value: object) -> str | None:
    """Return a URI without a trailing slash; None if it is not a URI."""
    return path(value.removesuffix("/")) if isinstance(value, str) and value else None


def uris(values: tuple[str, ...]) -> tuple[tuple[str, ...], int]:
    """Return the first URIs of a list, whole ones only, and the number of those cut."""
    room = _MOST_URI_CHARACTERS
    kept = 0
    for uri in values[:_MOST_URIS]:
        room -= len(uri)
        if room < 0:
            break
        kept += 1
    return values[:kept], len(values) - kept


def labels(values: Mapping[str, Any], first: Iterable[str]) -> tuple[dict[str, str], int]:
    """Return the labels that Vertex AI could have accepted, and the number of those cut.

    Args:
        values: The labels.
        first: Names that are kept before all others.
    """
    names = dict.fromkeys([*(name for name in first if name in values), *values])
    sound = [(name, value) for name in names if isinstance(value := values[name], str)]
    kept = [label for label in sound if all(len(part.encode()) <= _MOST_LABEL_BYTES for part in label)]
    return dict(kept[:_MOST_LABELS]), len(sound) - len(kept[:_MOST_LABELS])


def status(error: dict[str, Any]) -> dict[str, Any]:
    """Return a google.rpc.Status, or its most useful parts if it is too large.

    ``detailsCut`` counts the details that were left out.
    """
    if len(msgspec.json.encode(error)) <= _MOST_ERROR_BYTES:
        return error
    details = error.get("details")
    left = details if isinstance(details, list) else []
    kept: dict[str, Any] = {}
    if isinstance(code := error.get("code"), int):
        kept["code"] = code
    if isinstance(message := error.get("message"), str):
        kept["message"] = text(message)
    room = _MOST_ERROR_BYTES - len(msgspec.json.encode(kept))
    some: list[Any] = []
    for detail in left:
        room -= len(msgspec.json.encode(detail)) + 1
        if room < 0:
            break
        some.append(detail)
    if some:
        kept["details"] = some
    if len(left) > len(some):
        kept["detailsCut"] = len(left) - len(some)
    return kept
