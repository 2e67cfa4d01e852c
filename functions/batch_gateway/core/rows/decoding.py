"""Decode a line of output as far as all formats need it."""

import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec

from batch_gateway.core.json_io import UNREADABLE, is_given
from batch_gateway.core.rows.gemini import Response, is_answer


class Row(msgspec.Struct, gc=False):
    """A row of any format."""

    status: Any = None
    processed_time: Any = None
    response: Response | None = None
    predictions: msgspec.Raw = msgspec.Raw()
    prediction: msgspec.Raw = msgspec.Raw()
    instance: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()
    key: msgspec.Raw = msgspec.Raw()
    custom_id: msgspec.Raw = msgspec.Raw()


_MAX_NAMES = 20
_NAME_LENGTH = 64
_MAX_NAMED_BYTES = 1024 * 1024


class _EmptyResponse(msgspec.Struct, forbid_unknown_fields=True):
    """Decodes ``{}`` and nothing else."""


class _ResponseOnly(msgspec.Struct):
    response: _EmptyResponse | None = None


# strict=False: an importer in Vertex may turn numbers into strings, and tokenCount is one by design.
decode_row = msgspec.json.Decoder(Row, strict=False).decode
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_response_only = msgspec.json.Decoder(_ResponseOnly).decode


def make_readable(line: bytes) -> bytes:
    """Re-encode a line that decode_row rejects but Python's json accepts.

    That is without a byte order mark, NaN, infinities and halves of surrogate pairs. Such a number becomes
    ``[0]``, which is neither a count nor a text. It takes one copy of the line, and time in proportion.
    """
    text = bytearray(line.removeprefix(BOM_UTF8))
    for start, end in _spans(_NUMBER, text):
        text[start:end] = b"[0]".ljust(end - start)
    for start, end in _spans(_HALF_PAIR, text):
        text[start:end] = rb"\ufffd"
    return bytes(text)


# Possessive, so that there is no backtracking and no memory for it. Python 3.11.2, Debian 12's, loses its
# place where a negative look-ahead is the last that is tried in such a group (python/cpython#106052).
_NUMBER = re.compile(
    rb"""
    (?: [^"NI-]++ | (?=-[^I])- | "[^"\\]*+(?:\\.[^"\\]*+)*+" )*+
    (NaN|-?Infinity)
    """,
    re.DOTALL | re.VERBOSE,
)
_HALF_PAIR = re.compile(
    rb"""
    (?: [^\\]++ | \\[^u] | \\u(?![dD][89a-fA-F]) | \\u[dD][89abAB]..\\u[dD][c-fC-F].. )*+
    (\\u[dD][89a-fA-F][0-9a-fA-F]{2})
    """,
    re.DOTALL | re.VERBOSE,
)


def _spans(pattern: re.Pattern[bytes], text: bytearray) -> Iterator[tuple[int, int]]:
    """Yield each position of the pattern's group; the text may be changed there in between."""
    at = 0
    while found := pattern.match(text, at):
        yield found.span(1)
        at = found.end()


def is_answered(row: Row, line: bytes) -> bool:
    """Return True if a row has a response that is not empty.

    Args:
        row: As decoded, without unneeded members.
        line: The line that it was decoded from.
    """
    if row.response is None:
        return False
    if is_answer(row.response):
        return True
    try:
        _decode_response_only(line)
    except msgspec.ValidationError:
        return True
    return False


def member_names(line: bytes) -> tuple[str, ...]:
    """Return the names of a row's members, for people: not too many, and none for a very long line."""
    if len(line) > _MAX_NAMED_BYTES:
        return ()
    try:
        return tuple(name[:_NAME_LENGTH] for name in islice(_decode_members(line), _MAX_NAMES))
    except UNREADABLE:
        return ()


def key_of(row: Row) -> str | msgspec.Raw | None:
    """Return the key that the caller gave a row: its ``key``, else its ``custom_id``.

    Returns:
        A text, or a number as it is written: Vertex AI's importer makes numbers of texts that look like one.
        None if there is neither.
    """
    found = row.key if is_given(row.key) else row.custom_id
    first = bytes(memoryview(found)[:1])
    if first == b'"':
        try:
            return msgspec.json.decode(found, type=str)
        except UNREADABLE:
            return None
    return found if first.isdigit() or first == b"-" else None


def is_predicted(row: Row) -> bool:
    """Return True if a row has predictions; an empty list has none, but a prediction may be null."""
    return bool(row.prediction) or (
        is_given(row.predictions) and _EMPTY_LIST.fullmatch(row.predictions) is None
    )


_EMPTY_LIST = re.compile(rb"\[\s*\]")
