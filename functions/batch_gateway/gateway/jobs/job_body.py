"""The body of a create: looked at without touching what is not ours to change."""

import json
import re
from collections.abc import Container, Mapping
from functools import cached_property
from typing import Any

import msgspec

from batch_gateway.core.errors import ApiError
from batch_gateway.core.jobs.sent import Sent
from batch_gateway.core.json_io import UNREADABLE, decode_object

_SCANNER = json.JSONDecoder()
_SNAKE = re.compile(r"_([a-z0-9])")
_MOST_FIELDS = 1_000
"""Of a body, on its first level: a BatchPredictionJob has about thirty."""


class JobBody:
    """A BatchPredictionJob as a caller wrote it.

    Attributes:
        raw: The body's bytes.
    """

    def __init__(self, raw: bytes) -> None:
        """Read the names of a body's fields; their values stay as they came.

        Raises:
            ApiError: It is no JSON object, or has more fields than any job.
        """
        self.raw = raw
        try:
            self._fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        except msgspec.ValidationError as error:
            raise _invalid("it must be a JSON object") from error
        except UNREADABLE as error:
            raise _invalid(f"it is no JSON: {error}") from error
        if len(self._fields) > _MOST_FIELDS:
            raise _invalid(f"it must not have more than {_MOST_FIELDS:,} fields")

    @property
    def model(self) -> str:
        """The model as the caller wrote it; empty if it is no string, which Vertex AI will refuse."""
        return self._text("model")

    @property
    def labels(self) -> dict[str, Any]:
        """The labels.

        Raises:
            ApiError: They are no object.
        """
        try:
            written = self._fields.get("labels", b"null")
            return msgspec.json.decode(written, type=dict[str, Any] | None) or {}
        except UNREADABLE as error:
            raise _invalid("labels must be an object of strings") from error

    @cached_property
    def json(self) -> dict[str, Any]:
        """The whole body.

        Raises:
            ApiError: A name is there twice in one object, be it once in camelCase and once in snake_case:
                what we check might not be what Vertex AI reads.
        """
        try:
            whole: dict[str, Any] = json.loads(self.raw, object_pairs_hook=_without_duplicates)
        except (ValueError, RecursionError) as error:
            raise _invalid(f"it cannot be read: {error}") from error
        return whole

    def sent(self, model: str, owner: Mapping[str, str] | None) -> Sent:
        """Return what the job can be known by, in either spelling that Vertex AI reads.

        Args:
            model: Full name of the model.
            owner: The label that says whose the job is, if it is ours to set; None: those of the body do.
        """
        output = self._object("outputConfig") or self._object("output_config")
        destination = output.get("gcsDestination") or output.get("gcs_destination")
        prefix = None
        if isinstance(destination, dict):
            prefix = destination.get("outputUriPrefix") or destination.get("output_uri_prefix")
        name = self._text("displayName") or self._text("display_name")
        return Sent.of(self._object("labels") if owner is None else owner, prefix, model, name)

    def with_members(self, members: dict[str, Any]) -> bytes:
        """Return the body with some top-level members set, and every other byte as it was.

        Raises:
            ApiError: It cannot be read.
        """
        if not members:
            return self.raw
        try:
            spans, end, is_empty = _spans(self.raw, members)
        except (ValueError, RecursionError) as error:
            raise _invalid(f"it cannot be read: {error}") from error
        edits = []
        for name, value in members.items():
            written = msgspec.json.encode(value)
            if name in spans:
                edits.append((*spans[name], written))
            else:
                comma = b"" if is_empty else b","
                edits.append((end, end, b'%s"%s":%s' % (comma, name.encode(), written)))
                is_empty = False
        pieces: list[bytes | memoryview] = []
        at = 0
        for start, stop, written in sorted(edits, key=lambda edit: edit[0]):
            pieces += [memoryview(self.raw)[at:start], written]
            at = stop
        return b"".join([*pieces, memoryview(self.raw)[at:]])

    def _text(self, name: str) -> str:
        try:
            return msgspec.json.decode(self._fields.get(name, b'""'), type=str)
        except UNREADABLE:
            return ""

    def _object(self, name: str) -> dict[str, Any]:
        return decode_object(bytes(self._fields.get(name, b"{}"))) or {}


def _spans(raw: bytes, names: Container[str]) -> tuple[dict[str, tuple[int, int]], int, bool]:
    """Find where the values of an object's members stand, where it closes, and whether it is empty.

    Of equal names it is the last one's. Bytes are taken for characters, which is right for all that JSON is
    made of, and lets places in the text be places in the bytes.
    """
    raw.decode()  # refuses what readers of UTF-8 might read differently
    body = raw.decode("latin-1")
    spans: dict[str, tuple[int, int]] = {}
    first = position = _skip_space(body, _skip_space(body, 0) + 1)
    while body[position] != "}":
        name, position = _SCANNER.raw_decode(body, position)
        start = _skip_space(body, _skip_space(body, position) + 1)
        _, stop = _SCANNER.raw_decode(body, start)
        if name in names:
            spans[name] = (start, stop)
        position = _skip_space(body, stop)
        if body[position] == ",":
            position = _skip_space(body, position + 1)
    return spans, position, position == first


def _skip_space(body: str, position: int) -> int:
    while body[position] in " \t\r\n":
        position += 1
    return position


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Google's JSON takes either spelling of a field. Of these only hashes are kept: names may be long.
    seen: set[int] = set()
    for name, _ in pairs:
        spelling = hash(_SNAKE.sub(lambda match: match[1].upper(), name))
        if spelling in seen:
            raise ValueError(f"{name!r} is there twice, in one spelling or in two")
        seen.add(spelling)
    return dict(pairs)


def _invalid(problem: str) -> ApiError:
    return ApiError(
        "INVALID_ARGUMENT", "BODY_INVALID", f"Invalid body: {problem}. Send a BatchPredictionJob as JSON."
    )
