"""One line of output, as far as it is decoded for every family."""

import json
from codecs import BOM_UTF8
from typing import Any

import msgspec

from batch_gateway.core.jsons import UNREADABLE
from batch_gateway.core.rows.gemini import Response

MAX_REPAIRED_BYTES = 4 * 1024 * 1024
"""Longest line that is read a second time, object by object, which takes many times its size."""


class Row(msgspec.Struct, gc=False):
    """A row of any family."""

    status: Any = None
    processed_time: Any = None
    response: Response | None = None
    predictions: msgspec.Raw = msgspec.Raw()
    prediction: msgspec.Raw = msgspec.Raw()
    instance: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


class _EmptyResponse(msgspec.Struct, forbid_unknown_fields=True):
    """Decodes ``{}`` and nothing else."""


class _ResponseOnly(msgspec.Struct):
    response: _EmptyResponse | None = None


# strict=False: an importer in Vertex may turn numbers into strings, and tokenCount is one by design.
decode_row = msgspec.json.Decoder(Row, strict=False).decode
_decode_response_only = msgspec.json.Decoder(_ResponseOnly).decode
_NULL = msgspec.Raw(b"null")


def readable(line: bytes) -> bytes:
    """A line that decode_row does not take, put so that it does: as Python's json reads it.

    That is without a byte order mark, NaN, infinities and halves of surrogate pairs. Such numbers become
    strings, as in protobuf's JSON, so that no count can be one of them.

    Raises:
        ValueError: Python does not take it for JSON either, or it is too long to find out.
        RecursionError: It nests too deeply.
    """
    text = line.removeprefix(BOM_UTF8)
    try:
        decode_row(text)
    except UNREADABLE:
        if len(text) > MAX_REPAIRED_BYTES:
            raise
        value = json.loads(text.decode(), parse_constant=str)
        return json.dumps(value, ensure_ascii=False).encode(errors="replace")
    return text


def is_given(member: msgspec.Raw) -> bool:
    """Whether a row has a member, and it is not null."""
    return bool(member) and member != _NULL


def loaded(member: msgspec.Raw) -> Any:
    """A member's value; None if the row does not have it."""
    return msgspec.json.decode(member) if member else None


def is_answered(row: Row, line: bytes) -> bool:
    """Whether a row has a response with anything in it.

    Args:
        row: As decoded, without the members that nobody needs.
        line: What it was decoded from.
    """
    response = row.response
    if response is None:
        return False
    if (
        response.usage_metadata
        or response.candidates
        or response.model_version
        or response.token_count is not None
    ):
        return True
    try:
        _decode_response_only(line)
    except msgspec.ValidationError:
        return True
    return False
