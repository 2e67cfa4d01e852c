"""Format answers: the query parameters of every method, and JSON as Google prints it."""

import json
from dataclasses import dataclass, field
from typing import Any

from . import masks
from .errors import ApiError, bad_request
from .schema import JOB, Schema, snake

_JOB_STATES = (
    "JOB_STATE_UNSPECIFIED",
    "JOB_STATE_QUEUED",
    "JOB_STATE_PENDING",
    "JOB_STATE_RUNNING",
    "JOB_STATE_SUCCEEDED",
    "JOB_STATE_FAILED",
    "JOB_STATE_CANCELLING",
    "JOB_STATE_CANCELLED",
    "JOB_STATE_PAUSED",
    "JOB_STATE_EXPIRED",
    "JOB_STATE_UPDATING",
    "JOB_STATE_PARTIALLY_SUCCEEDED",
)
_RESPONSES = {
    "create": JOB,
    "get": JOB,
    "list": "ListBatchPredictionJobsResponse",
    "delete": "GoogleLongrunningOperation",
    "operation": "GoogleLongrunningOperation",
}


@dataclass
class Options:
    """The parameters of an answer's form, and the method's own parameters."""

    pretty: bool = True
    numeric_enums: bool = False
    fields: masks.Mask = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)


def pretty_wanted(query: list[tuple[str, str]]) -> bool:
    """Return whether an answer or error is indented, which is Google's default."""
    return dict(query).get("prettyPrint", dict(query).get("$prettyPrint", "true")).lower() not in (
        "false",
        "0",
    )


def read_options(schema: Schema, method: str, query: list[tuple[str, str]]) -> Options:
    """Check and read a query.

    Args:
        schema: The API version's schema.
        method: `create`, `list`, `get`, `cancel`, `delete` or `operation`.
        query: The decoded pairs.

    Raises:
        ApiError: 400 for an unknown parameter or a wrong value, worded as Google's front end does.
    """
    own = schema.methods.get(method, {}).get("parameters", {})
    names = {name: name for name in own} | {snake(name): name for name in own}
    options = Options(pretty=pretty_wanted(query))
    unknown = []
    for given, value in query:
        common = given if given in schema.common_parameters else given.removeprefix("$")
        if given in names:
            options.parameters[names[given]] = _checked(given, own[names[given]], value)
        elif common not in schema.common_parameters:
            text = (
                f'Invalid JSON payload received. Unknown name "{given}": Cannot bind query parameter. '
                f"Field '{given}' could not be found in request message."
            )
            unknown.append(("", text))
        elif common == "alt":
            options.numeric_enums = _numeric_enums(value)
        elif common == "fields" and value:
            options.fields = masks.parse_fields(value)
    if unknown:
        raise bad_request(unknown)
    if options.fields and method in _RESPONSES:
        masks.check(options.fields, schema, _RESPONSES[method], "fields")
    return options


def _checked(name: str, spec: dict[str, Any], value: str) -> str:
    if spec["type"] == "integer" and not value.removeprefix("-").isdigit():
        raise bad_request([(name, f"Invalid value at '{snake(name)}' (TYPE_INT32), \"{value}\"")])
    return value


def _numeric_enums(alt: str) -> bool:
    form, _, encoding = alt.partition(";")
    if form != "json" or encoding not in ("", "enum-encoding=int"):
        raise ApiError(400, f"Unsupported value for the query parameter alt: {alt}")
    return bool(encoding)


def shape(options: Options, answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer reduced to `fields`, with numeric states if requested."""
    if options.numeric_enums:
        jobs = answer.get("batchPredictionJobs")
        if isinstance(jobs, list):
            answer = {**answer, "batchPredictionJobs": [_with_numeric_state(job) for job in jobs]}
        answer = _with_numeric_state(answer)
    cut: dict[str, Any] = masks.apply(options.fields, answer)
    return cut


def _with_numeric_state(job: dict[str, Any]) -> dict[str, Any]:
    # A number for `state`, as Google's generated REST clients ask by $alt=json;enum-encoding=int.
    return {**job, "state": _JOB_STATES.index(job["state"])} if "state" in job else job


def dump(answer: dict[str, Any], *, pretty: bool) -> bytes:
    """Return JSON as Google prints it: indented by two, with a final newline, or compact."""
    if pretty:
        return (json.dumps(answer, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "replace")
    return json.dumps(answer, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
