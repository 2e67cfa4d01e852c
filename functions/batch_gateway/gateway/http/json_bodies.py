"""Decode the JSON bodies of the gateway's own calls, and say in words what is wrong with one."""

import re
from typing import Any, TypeVar

import msgspec

from batch_gateway.core.errors import ApiError
from batch_gateway.core.json_io import UNREADABLE
from batch_gateway.gateway.http import params

Body = TypeVar("Body")

_LONGEST_NAME = 80
# The forms of msgspec's messages.
_PATH = re.compile(r"(.*?)(?: - at `\$\.?(.*)`)?", re.DOTALL)
_EXPECTED = re.compile(r"Expected `([^`]+)`, got `([^`]+)`")
_MISSING = re.compile(r"Object missing required field `(.+)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_TIME = "an RFC 3339 time with a time zone, such as 2026-11-22T00:00:00Z"
_KINDS = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "decimal": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "datetime": _TIME,
}
_VALUES = {
    "Invalid decimal string": "a number, such as 12.50",
    "Invalid RFC3339 encoded datetime": _TIME,
    "Expected `datetime` with a timezone component": _TIME,
}


def decode(raw: bytes, kind: type[Body], *, hint: str = "See /openapi.json.") -> Body:
    """Decode a body; an empty one counts as ``{}``.

    Args:
        raw: The body.
        kind: The structure that it must have.
        hint: A sentence on what to send instead.

    Raises:
        ApiError: BODY_INVALID: It is not a JSON object. FIELD_INVALID: A field is wrong; the message says
            which.
    """
    try:
        return msgspec.json.decode(raw.strip() or b"{}", type=kind)
    except UNREADABLE as error:
        path, problem = _explained(error, kind)
        if path:
            raise params.invalid(f"{path}: {problem}", hint) from error
        raise ApiError("INVALID_ARGUMENT", "BODY_INVALID", f"Invalid body: it {problem}. {hint}") from error


def syntax_problem(error: Exception) -> str:
    """Return why bytes are not JSON, for one of UNREADABLE that is no ValidationError."""
    if isinstance(error, UnicodeDecodeError):
        return f"is not UTF-8 (byte {error.start})"
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    if str(error) == "Input data was truncated":
        return "is not JSON: it ends too early"
    return f"is not JSON: {str(error).removeprefix('JSON is malformed: ')}"


def _explained(error: Exception, kind: type[Any]) -> tuple[str, str]:
    """Return the field that is wrong, empty for the whole body, and the problem without a full stop."""
    if not isinstance(error, msgspec.ValidationError):
        return "", syntax_problem(error)
    said, path = _split(str(error))
    if found := _MISSING.fullmatch(said):
        return _below(path, found[1]), "is missing"
    if found := _UNKNOWN.fullmatch(said):
        there_are = "" if path else f"; there are {', '.join(sorted(_fields_of(kind)))}"
        return _below(path, found[1][:_LONGEST_NAME]), f"is unknown{there_are}"
    if found := _EXPECTED.fullmatch(said):
        wanted, got = (_kinds(each) for each in found.groups())
        return path, f"must be {wanted}, not {got}"
    return path, f"must be {_VALUES[said]}" if said in _VALUES else f"is invalid: {said}"


def _split(message: str) -> tuple[str, str]:
    found = _PATH.fullmatch(message)
    said, path = found.groups() if found else (message, None)
    # msgspec does not say which value of a map it is.
    return said, (path or "").replace("[...]", ", in one of its values")


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _kinds(union: str) -> str:
    return " or ".join(_KINDS.get(each, each) for each in union.split(" | "))


def _fields_of(kind: type[Any]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(kind)]
