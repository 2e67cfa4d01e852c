"""Renew what is made from the code in openapi.json, errors.md and api.md.

In openapi.json these are the schemas of the gateway's own answers and bodies of requests, made from their
types, and the lists of reasons in the responses; all else in the file is written by hand and kept: paths, the
examples of schemas, unions of schemas, the first paragraph of each response, and Vertex AI's own resources
and errors, which are relayed as they come, so that no type here has all their fields. In errors.md it is the
table of reasons, in api.md the table of events.
"""

import json
from itertools import dropwhile
from pathlib import Path
from typing import Any

from api_schemas import schemas
from batch_gateway.core.notify.event_names import WHEN
from batch_gateway.core.reasons import BY_STATUS, REASONS

COMMAND = "run PYTHONPATH=functions python infra/local/renew_documents.py"
_FUNCTIONS = Path(__file__).parents[2] / "functions"
OPENAPI = _FUNCTIONS / "batch_gateway/gateway/http/openapi.json"
ERRORS, API = _FUNCTIONS / "docs/errors.md", _FUNCTIONS / "docs/api.md"
_OF_REASONS = "| HTTP, status | reason | when | what to do |\n|---|---|---|---|\n"
_OF_EVENTS = "| event | when |\n|---|---|\n"
_RESPONSES = {
    "BadRequest": (400, None),
    "Unauthenticated": (401, None),
    "Forbidden": (403, None),
    "NotFound": (404, None),
    "Aborted": (409, "ABORTED"),
    "AlreadyExists": (409, "ALREADY_EXISTS"),
    "PayloadTooLarge": (413, None),
    "TooManyRequests": (429, None),
    "InternalError": (500, None),
    "Unavailable": (503, None),
    "DeadlineExceeded": (504, None),
}
"""HTTP status of responses by name, and the only name in google.rpc.Code that they have, if there is one."""
_COLUMNS = 110


def openapi(text: str) -> str:
    """Return the text of openapi.json with new schemas and reasons, laid out evenly."""
    document = json.loads(text)
    old = document["components"]["schemas"]
    for name, schema in schemas().items():
        kept = {"examples": old[name]["examples"]} if "examples" in old.get(name, {}) else {}
        old[name] = schema | kept
    for name, (code, status) in _RESPONSES.items():
        response = document["components"]["responses"][name]
        by_hand = response["description"].partition("\n\n")[0]
        response["description"] = f"{by_hand}\n\n{_reasons(code, status)}"
    return f"{_laid_out(document)}\n"


def _reasons(code: int, only: str | None) -> str:
    """Return a list of the reasons with a status, in Markdown."""
    return "\n".join(
        f"- `{name}` ({status}): {reason.when}"
        for name, reason in REASONS.items()
        for status, of_status in reason.statuses.items()
        if of_status == code and only in {None, status}
    )


def errors_page(text: str) -> str:
    """Return the text of errors.md with a new table."""
    rows = [
        f"| {statuses} | `{name}` | {when} | {advice} |\n"
        for statuses, group in BY_STATUS.items()
        for name, (when, advice) in group.items()
    ]
    return _with_rows(text, _OF_REASONS, rows)


def api_page(text: str) -> str:
    """Return the text of api.md with a new table of events."""
    rows = [f"| {', '.join(f'`{name}`' for name in names)} | {when} |\n" for names, when in WHEN.items()]
    return _with_rows(text, _OF_EVENTS, rows)


def _with_rows(text: str, head: str, rows: list[str]) -> str:
    """Return a page with new rows in the table that has a head."""
    before, found, old = text.partition(head)
    if not found:
        raise ValueError(f"there is no table with the head {head}")
    after = list(dropwhile(lambda line: line.startswith("|"), old.splitlines(keepends=True)))
    return "".join([before, head, *rows, *after])


def _laid_out(value: Any, column: int = 0, indent: int = 0) -> str:
    """Return a value as JSON, with each array and object on one line if it fits.

    Args:
        value: The value.
        column: Where its first line begins.
        indent: Where its last line begins.
    """
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or column + len(line) < _COLUMNS:
        return line
    if isinstance(value, dict):
        heads, members, ends = [f"{json.dumps(name)}: " for name in value], list(value.values()), "{}"
    else:
        heads, members, ends = [""] * len(value), value, "[]"
    inner = indent + 2
    lines = [
        f"{' ' * inner}{head}{_laid_out(member, inner + len(head), inner)}"
        for head, member in zip(heads, members, strict=True)
    ]
    return "\n".join([ends[0], ",\n".join(lines), f"{' ' * indent}{ends[1]}"])


if __name__ == "__main__":
    OPENAPI.write_text(openapi(OPENAPI.read_text(encoding="utf-8")), encoding="utf-8")
    API.write_text(api_page(API.read_text(encoding="utf-8")), encoding="utf-8")
    ERRORS.write_text(errors_page(ERRORS.read_text(encoding="utf-8")), encoding="utf-8")
