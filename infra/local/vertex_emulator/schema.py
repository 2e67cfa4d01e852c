"""Google's own schema of the methods: names and types of all fields.

The two files in `schema/` are extracts of the Vertex AI API discovery documents. The checks and their
messages follow Google's HTTP/JSON transcoding: either spelling of a name (`displayName`, `display_name`),
a bare value where a list is expected, int64 as strings, and null for "not set" are all accepted.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from .errors import bad_request

JOB = "BatchPredictionJob"
_ROOT = "batch_prediction_job"  # the field of CreateBatchPredictionJobRequest that the body fills
_TYPES = {
    ("string", ""): "TYPE_STRING",
    ("string", "int64"): "TYPE_INT64",
    ("string", "google-datetime"): "type.googleapis.com/google.protobuf.Timestamp",
    ("string", "google-duration"): "type.googleapis.com/google.protobuf.Duration",
    ("integer", "int32"): "TYPE_INT32",
    ("number", "float"): "TYPE_FLOAT",
    ("number", "double"): "TYPE_DOUBLE",
    ("boolean", ""): "TYPE_BOOL",
}
_ONEOFS = {
    "BatchPredictionJobInputConfig": (
        "source",
        ("gcsSource", "bigquerySource", "vertexMultimodalDatasetSource"),
    ),
    "BatchPredictionJobOutputConfig": (
        "destination",
        ("gcsDestination", "bigqueryDestination", "vertexMultimodalDatasetDestination"),
    ),
}


def snake(name: str) -> str:
    """Return a JSON name in the spelling of protos and Google's messages."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


class Schema:
    """One API version's messages and methods."""

    def __init__(self, version: str) -> None:
        document = json.loads((Path(__file__).parent / "schema" / f"{version}.json").read_text())
        self.version = version
        self.prefix = f"GoogleCloudAiplatform{version.capitalize()}"
        self.messages: dict[str, dict[str, Any]] = document["schemas"]
        self.methods: dict[str, dict[str, Any]] = document["methods"]
        self.common_parameters: frozenset[str] = frozenset(document["commonParameters"])

    def properties(self, message: str) -> dict[str, dict[str, Any]]:
        """Return a message's fields by JSON name; `message` is given without the version's prefix."""
        found = self.messages.get(self.prefix + message) or self.messages[message]
        return found.get("properties") or {}

    def read(self, message: str, value: Any, root: str = "") -> dict[str, Any]:
        """Check a request body and return it with canonical names, without output-only fields.

        Args:
            message: The body's type, without the version's prefix.
            value: The parsed JSON.
            root: Where violations say that the body sits, `batch_prediction_job` for a create.

        Raises:
            ApiError: 400 with one violation for each unknown name and wrong type.
        """
        if not isinstance(value, dict):
            text = 'Invalid JSON payload received. Unknown name "": Root element must be a message.'
            raise bad_request([("", text)])
        violations: list[tuple[str, str]] = []
        result = self._message(message, value, root, violations)
        if violations:
            raise bad_request(violations)
        return result

    def _message(
        self, message: str, value: dict[str, Any], path: str, violations: list[tuple[str, str]]
    ) -> dict[str, Any]:
        properties = self.properties(message)
        names = {snake(name): name for name in properties} | {name: name for name in properties}
        result: dict[str, Any] = {}
        for given, content in value.items():
            name = names.get(given)
            if name is None:
                where = f" at '{path}'" if path else ""
                text = f'Invalid JSON payload received. Unknown name "{given}"{where}: Cannot find field.'
                violations.append((path, text))
            elif content is not None:
                inner = f"{path}.{snake(name)}" if path else snake(name)
                checked = self._field(properties[name], content, inner, violations)
                if not properties[name].get("readOnly"):  # Google ignores output-only fields
                    result[name] = checked
        self._check_oneof(message, result, path, violations)
        return result

    def _check_oneof(
        self, message: str, result: dict[str, Any], path: str, violations: list[tuple[str, str]]
    ) -> None:
        oneof, members = _ONEOFS.get(message, ("", ()))
        for extra in [name for name in result if name in members][1:]:
            text = f"oneof field '{oneof}' is already set. Cannot set '{extra}'"
            violations.append((path, f"Invalid value at '{path}' (oneof), {text}"))

    def _field(self, spec: dict[str, Any], value: Any, path: str, violations: list[tuple[str, str]]) -> Any:
        if spec.get("type") == "array":
            # Google's own curl examples send "uris": "gs://..." and get a list back.
            items = value if isinstance(value, list) else [value]
            return [
                self._field(spec["items"], item, f"{path}[{index}]", violations)
                for index, item in enumerate(items)
            ]
        if "$ref" in spec:
            message = spec["$ref"].removeprefix(self.prefix)
            if isinstance(value, dict):
                return self._message(message, value, path, violations)
            violations.append(_invalid(path, f"type.googleapis.com/{self._proto_name(message)}", value))
            return value
        if spec.get("type") == "object":
            if not isinstance(value, dict):
                violations.append(_invalid(path, "Map", value))
                return value
            inner = spec["additionalProperties"]
            return {
                str(key): self._field(inner, item, f"{path}[{index}].value", violations)
                for index, (key, item) in enumerate(value.items())
            }
        if not _fits(spec, value):
            violations.append(_invalid(path, _type_name(spec), value))
        return value

    def _proto_name(self, message: str) -> str:
        parents = [name.removeprefix(self.prefix) for name in self.messages]
        for parent in sorted(parents, key=len, reverse=True):
            if parent != message and message.startswith(parent):
                message = f"{parent}.{message.removeprefix(parent)}"
                break
        return f"google.cloud.aiplatform.{self.version}.{message}"

    def missing(self, message: str, value: dict[str, Any], path: str = _ROOT) -> list[str]:
        """Return the paths of required fields that a canonical body leaves out or empty."""
        result = []
        for name, spec in self.properties(message).items():
            inner = f"{path}.{snake(name)}"
            content = value.get(name)
            if content in (None, "", [], {}):
                result += [inner] if spec.get("required") else []
            elif "$ref" in spec and isinstance(content, dict):
                result += self.missing(spec["$ref"].removeprefix(self.prefix), content, inner)
        return result


@cache
def load(version: str) -> Schema:
    """Return the schema of `v1` or `v1beta1`."""
    return Schema(version)


def _invalid(path: str, type_name: str, value: Any) -> tuple[str, str]:
    return path, f"Invalid value at '{path}' ({type_name}), {json.dumps(value, ensure_ascii=False)}"


def _type_name(spec: dict[str, Any]) -> str:
    if "enum" in spec:
        return "TYPE_ENUM"
    return _TYPES.get((spec["type"], spec.get("format", "")), "TYPE_STRING")


def _fits(spec: dict[str, Any], value: Any) -> bool:
    kind = spec["type"]
    if "enum" in spec:
        return value in spec["enum"] or _is_integer(value)
    if kind == "integer" or spec.get("format") == "int64":
        return _is_integer(value) or (isinstance(value, str) and re.fullmatch(r"-?\d+", value) is not None)
    if kind == "number":
        return _is_integer(value) or isinstance(value, float)
    return kind == "any" or isinstance(value, bool if kind == "boolean" else str)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
