"""Reduce answers by the `fields` parameter of every method, and by `readMask` of list.

`fields` follows Google's partial response syntax: `a,b/c,d(e,f)` and `*`; dots work as slashes. A name that
the answer's type doesn't have is a 400, as on Google's side.
"""

import re
from typing import Any

from .errors import bad_request
from .schema import Schema, snake

Mask = dict[str, "Mask"]  # an empty mask takes everything below


def parse_fields(text: str) -> Mask:
    """Read a `fields` expression.

    Raises:
        ApiError: 400 if its parentheses or names make no sense.
    """
    tokens = re.findall(r"[^,()/.\s]+|[,()/.]", text)
    mask, rest = _parse_list(tokens, text)
    if rest:
        raise _refuse("fields", text)
    return mask


def _parse_list(tokens: list[str], text: str) -> tuple[Mask, list[str]]:
    mask: Mask = {}
    while True:
        path: list[str] = []
        while tokens and tokens[0] not in ",()/.":
            path.append(tokens[0])
            tokens = tokens[1:]
            if tokens and tokens[0] in "/.":
                tokens = tokens[1:]
        if not path:
            raise _refuse("fields", text)
        below: Mask = {}
        if tokens and tokens[0] == "(":
            below, tokens = _parse_list(tokens[1:], text)
            if not tokens or tokens[0] != ")":
                raise _refuse("fields", text)
            tokens = tokens[1:]
        _add(mask, path, below)
        if not tokens or tokens[0] != ",":
            return mask, tokens
        tokens = tokens[1:]


def _add(mask: Mask, path: list[str], below: Mask) -> None:
    for name in path[:-1]:
        mask = mask.setdefault(name, {})
    mask.setdefault(path[-1], {}).update(below)


def parse_read_mask(text: str) -> Mask:
    """Read a FieldMask, e.g. `name,outputInfo.gcsOutputDirectory`; `*` and nothing mean everything."""
    if text.strip() in ("", "*"):
        return {}
    mask: Mask = {}
    for path in text.split(","):
        _add(mask, path.strip().split("."), {})
    return mask


def check(mask: Mask, schema: Schema, message: str, parameter: str) -> None:
    """Refuse a mask with fields that a message doesn't have.

    Args:
        mask: The parsed mask.
        schema: The API version's schema.
        message: The type that the mask applies to.
        parameter: `fields` or `readMask`, for the message.

    Raises:
        ApiError: 400, worded as Google's front end does.
    """
    properties = schema.properties(message)
    names = {snake(name): name for name in properties} | {name: name for name in properties}
    for name, below in mask.items():
        if name == "*":
            continue
        if name not in names:
            raise _refuse(parameter, name)
        spec = properties[names[name]]
        reference = spec.get("$ref") or spec.get("items", {}).get("$ref")
        if below and reference:
            check(below, schema, reference.removeprefix(schema.prefix), parameter)


def apply(mask: Mask, value: Any) -> Any:
    """Return an answer reduced to a mask."""
    if not mask:
        return value
    if isinstance(value, list):
        return [apply(mask, item) for item in value]
    if not isinstance(value, dict):
        return value
    spelled = {name if name in value else _camel(name): below for name, below in mask.items()}
    if "*" in spelled:
        return {name: apply(spelled.get(name, spelled["*"]), content) for name, content in value.items()}
    return {name: apply(spelled[name], content) for name, content in value.items() if name in spelled}


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)


def _refuse(parameter: str, path: str) -> Exception:
    text = f"Error expanding '{parameter}' parameter. Cannot find matching fields for path '{path}'."
    return bad_request([(path, text)], "Request contains an invalid argument.")
