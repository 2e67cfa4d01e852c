"""Read and change the body of a create, with every byte kept that is not ours to change."""

import json
import re
from collections.abc import Container, Mapping
from functools import cached_property
from typing import Any

import msgspec

from batch_gateway.core.errors import ApiError
from batch_gateway.core.jobs.sent import Sent
from batch_gateway.core.json_io import UNREADABLE, decode_object
from batch_gateway.gateway.http.json_bodies import syntax_problem

_SCANNER = json.JSONDecoder()
_SNAKE = re.compile(r"_([a-z0-9])")
_MOST_FIELDS = 1_000
"""Most top-level fields of a body: a BatchPredictionJob has about thirty."""


class JobBody:
    """A BatchPredictionJob as a caller wrote it.

    Attributes:
        raw: The body's bytes.
    """

    def __init__(self, raw: bytes) -> None:
        """Read the names of a body's fields; their values stay undecoded.

        Raises:
            ApiError: The body is not a JSON object, or has more fields than any job.
        """
        self.raw = raw
        try:
            self._fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        except msgspec.ValidationError as error:
            raise _invalid("it must be a JSON object") from error
        except UNREADABLE as error:
            raise _invalid(f"it {syntax_problem(error)}") from error
        if len(self._fields) > _MOST_FIELDS:
            raise _invalid(f"it must not have more than {_MOST_FIELDS:,} fields")

    @property
    def model(self) -> str:
        """Return the model as the caller wrote it; empty if it is not a string: Vertex AI rejects that."""
        return self._text("model")

    @property
    def labels(self) -> dict[str, Any]:
        """Return the labels.

        Raises:
            ApiError: They are not an object.
        """
        try:
            written = self._fields.get("labels", b"null")
            return msgspec.json.decode(written, type=dict[str, Any] | None) or {}
        except UNREADABLE as error:
            raise _invalid("labels must be an object of strings") from error

    @cached_property
    def json(self) -> dict[str, Any]:
        """Return the whole body.

        Raises:
            ApiError: An object has a name twice, possibly once in camelCase and once in snake_case: Vertex AI
                might read another value than the one that was checked.
        """
        try:
            whole: dict[str, Any] = json.loads(self.raw, object_pairs_hook=_without_duplicates)
        except (ValueError, RecursionError) as error:
            raise _invalid(f"it cannot be read: {error}") from error
        return whole

    def sent(self, model: str, owner: Mapping[str, str] | None) -> Sent:
        """Return the fields that identify the job, from either spelling that Vertex AI reads.

        Args:
            model: Full name of the model.
            owner: The owner label that the gateway sets; None to use the labels of the body.
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
            ApiError: The body cannot be read.
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

    Of equal names the last one counts. The bytes are decoded as Latin-1: JSON's own characters are ASCII, so
    they are read correctly, and positions in the text are positions in the bytes.
    """
    raw.decode()  # rejects invalid UTF-8, which readers might interpret differently
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
    # Google's JSON accepts either spelling of a field. Only hashes are kept, since names may be long.
    seen: set[int] = set()
    for name, _ in pairs:
        spelling = hash(_SNAKE.sub(lambda match: match[1].upper(), name))
        if spelling in seen:
            raise ValueError(f"{name!r} occurs twice, possibly in both spellings")
        seen.add(spelling)
    return dict(pairs)


def _invalid(problem: str) -> ApiError:
    return ApiError(
        "INVALID_ARGUMENT", "BODY_INVALID", f"Invalid body: {problem}. Send a BatchPredictionJob as JSON."
    )
