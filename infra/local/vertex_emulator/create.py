"""Check a new job as Vertex AI does after parsing its JSON."""

import json
import re
from typing import Any

from .errors import bad_request
from .schema import JOB, Schema, snake

_ROOT = "batch_prediction_job"
_GCS_OBJECT = re.compile(r"gs://[^/]+/.+")
_GCS_PREFIX = re.compile(r"gs://[^/]+(/.*)?")
_BQ_TABLE = re.compile(r"bq://[^.]+\.[^.]+\.[^.]+")
_BQ_DESTINATION = re.compile(r"bq://[^.]+(\.[^.]+){0,2}")
_LABEL_KEY = re.compile(r"[^\W\d_A-Z][\w-]{0,63}")
_LABEL_VALUE = re.compile(r"[\w-]{0,64}")


def parse_body(raw: bytes, content_type: str) -> Any:
    """Return the JSON of a request body; an empty one counts as `{}`.

    Raises:
        ApiError: 400, as Google's front end words it. A form (curl's default type) is read as query
            parameters there, so its content is an unknown name.
    """
    if not raw.strip():
        return {}
    if content_type.startswith("application/x-www-form-urlencoded"):
        name = raw.decode("utf-8", "replace").split("=", 1)[0]
        text = (
            f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter. '
            f"Field '{name}' could not be found in request message."
        )
        raise bad_request([("", text)])
    try:
        return json.loads(raw)
    except UnicodeDecodeError as error:
        raise bad_request(
            [("", "Invalid JSON payload received. Encountered non UTF-8 code points.")]
        ) from error
    except RecursionError as error:
        text = "Invalid JSON payload received. Message too deep. Max recursion depth reached."
        raise bad_request([("", text)]) from error
    except json.JSONDecodeError as error:
        rest = error.doc[error.pos : error.pos + 20]
        what = "Unexpected token." if rest else "Unexpected end of string."
        raise bad_request([("", f"Invalid JSON payload received. {what}\n{rest}\n^")]) from error


def read_job(schema: Schema, body: Any) -> dict[str, Any]:
    """Return the canonical form of a create's body.

    Args:
        schema: The API version's schema.
        body: The parsed JSON.

    Raises:
        ApiError: 400 INVALID_ARGUMENT: unknown names, wrong types, or what is required is missing
            (Vertex AI API reference, BatchPredictionJob).
    """
    job = schema.read(JOB, body, _ROOT)
    found = [(path, "Required field is not set.") for path in schema.missing(JOB, job)]
    models = [name for name in ("model", "unmanagedContainerModel", "endpoint") if job.get(name)]
    if len(models) != 1:
        found.append((f"{_ROOT}.model", "Exactly one of model and unmanaged_container_model must be set."))
    found += _check_locations(job)
    found += _check_labels(job.get("labels", {}))
    if found:
        listed = "".join(f"\t{n}.Field: {path}; Message: {text}" for n, (path, text) in enumerate(found, 1))
        raise bad_request(found, f"List of found errors:{listed}\t")
    return job


def _check_locations(job: dict[str, Any]) -> list[tuple[str, str]]:
    found = []
    source = job.get("inputConfig", {})
    target = job.get("outputConfig", {})
    if source and not source.keys() & {"gcsSource", "bigquerySource", "vertexMultimodalDatasetSource"}:
        found.append((f"{_ROOT}.input_config.source", "Required field is not set."))
    destinations = {"gcsDestination", "bigqueryDestination", "vertexMultimodalDatasetDestination"}
    if target and not target.keys() & destinations:
        found.append((f"{_ROOT}.output_config.destination", "Required field is not set."))
    for index, uri in enumerate(source.get("gcsSource", {}).get("uris", [])):
        if not _GCS_OBJECT.fullmatch(uri):
            found.append(
                (f"{_ROOT}.input_config.gcs_source.uris[{index}]", "Must be a Cloud Storage object URI.")
            )
    for config, member, field, form in (
        (source, "bigquerySource", "inputUri", _BQ_TABLE),
        (target, "bigqueryDestination", "outputUri", _BQ_DESTINATION),
    ):
        uri = config.get(member, {}).get(field)
        if uri and not form.fullmatch(uri):
            path = f"{'input' if config is source else 'output'}_config.{snake(member)}.{snake(field)}"
            found.append((f"{_ROOT}.{path}", "Must be a BigQuery URI."))
    prefix = target.get("gcsDestination", {}).get("outputUriPrefix")
    if prefix and not _GCS_PREFIX.fullmatch(prefix):
        found.append(
            (f"{_ROOT}.output_config.gcs_destination.output_uri_prefix", "Must be a Cloud Storage URI.")
        )
    return found


def _check_labels(labels: dict[str, str]) -> list[tuple[str, str]]:
    rule = "Must be at most 64 lowercase letters, digits, underscores and dashes; a key starts with a letter."
    return [
        (f"{_ROOT}.labels", f'Invalid label "{key}": "{value}". {rule}')
        for key, value in labels.items()
        if not _LABEL_KEY.fullmatch(key)
        or not _LABEL_VALUE.fullmatch(value)
        or (key + value) != (key + value).lower()
    ]
