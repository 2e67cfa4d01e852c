"""Make the body of a create that resumes a job, from the job as Vertex AI has it."""

import re
from typing import Any, NamedTuple

import msgspec

from batch_gateway.core.jobs.labels import MARKER_LABEL
from batch_gateway.core.jobs.record import uris_of
from batch_gateway.gateway.http import json_bodies
from batch_gateway.gateway.http.params import invalid

OUTPUT_ONLY = frozenset(
    {
        *("name", "state", "error", "partialFailures", "outputInfo", "completionStats", "resourcesConsumed"),
        *("createTime", "startTime", "endTime", "updateTime", "modelVersionId", "modelMonitoringStatus"),
        *("satisfiesPzi", "satisfiesPzs"),
    }
)
"""Fields that Vertex AI alone sets: those that discovery revision 20261106 marks readOnly."""
_MOST_NAME = 128
"""Longest display name in characters (BatchPredictionJob of the Vertex AI API)."""
_SUFFIX = " (resumed)"
_OUR_FOLDER = re.compile(r"/resumed-[A-Za-z0-9_-]+$")


class Fields(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Fields in which the new job may differ from the job that is resumed.

    Attributes:
        display_name: Name of the new job; without it, that of the job with ``(resumed)`` after it.
        output_uri_prefix: Where the output goes: ``gs://BUCKET/PATH``, or ``bq://PROJECT.DATASET`` if that of
            the job is in BigQuery. Without it: a folder beside the job's output, or a new table in its
            dataset.
    """

    display_name: str | None = None
    output_uri_prefix: str | None = None


class Ends(NamedTuple):
    """The two ends of a job that resumes another.

    Attributes:
        source: Its inputConfig: the other job's output.
        target: Its outputConfig.
        own_uris: URIs in both that derive from the other job.
    """

    source: dict[str, Any]
    target: dict[str, Any]
    own_uris: frozenset[str]


def read_fields(raw: bytes) -> Fields:
    """Read the body of a resume, which may be empty.

    Raises:
        ApiError: It is not JSON, or has other fields or values.
    """
    return json_bodies.decode(raw, Fields, hint="Send nothing, or displayName and outputUriPrefix.")


def ends_in_files(job_id: str, own_prefix: str, uris: tuple[str, ...], wanted: str | None) -> Ends:
    """Return the ends of a job that resumes one with output in Cloud Storage.

    Without a wanted prefix, the new output goes into a folder of its own beside the earlier job's directory,
    so that reading the folder of either job finds each row once.

    Args:
        job_id: Id of the job that is resumed.
        own_prefix: Its outputUriPrefix.
        uris: Its output files.
        wanted: The outputUriPrefix that the caller asks for.

    Raises:
        ApiError: The caller asks for a place outside of Cloud Storage.
    """
    if wanted is not None and not wanted.startswith("gs://"):
        raise invalid("outputUriPrefix: must be of the form gs://BUCKET/PATH, as that of the job")
    base = _OUR_FOLDER.sub("", own_prefix.rstrip("/"))
    place = wanted if wanted is not None else f"{base}/resumed-{job_id}"
    return Ends(
        {"instancesFormat": "jsonl", "gcsSource": {"uris": uris}},
        {"predictionsFormat": "jsonl", "gcsDestination": {"outputUriPrefix": place}},
        frozenset(uris if wanted is not None else (*uris, place)),
    )


def ends_in_tables(table: str, wanted: str | None) -> Ends:
    """Return the ends of a job that resumes one with output in BigQuery.

    Without a wanted place, the new output is a table in the same dataset, which Vertex AI names.

    Args:
        table: ``bq://project.dataset.table`` of the job that is resumed.
        wanted: The outputUriPrefix that the caller asks for.

    Raises:
        ApiError: The caller asks for a place outside of BigQuery.
    """
    if wanted is not None and not wanted.startswith("bq://"):
        raise invalid("outputUriPrefix: must be of the form bq://PROJECT.DATASET, as that of the job")
    place = wanted if wanted is not None else table.rpartition(".")[0]
    return Ends(
        {"instancesFormat": "bigquery", "bigquerySource": {"inputUri": table}},
        {"predictionsFormat": "bigquery", "bigqueryDestination": {"outputUri": place}},
        frozenset({table} if wanted is not None else {table, place}),
    )


def body_of(job: dict[str, Any], model: str, ends: Ends, display_name: str | None) -> bytes:
    """Return the body of the create.

    It has all fields of the job that are not Vertex AI's own, known or not. Empty ones are left out: they
    mean the same as none, and some are refused for limited keys. The marker label belongs to one create only.

    Args:
        job: The job that is resumed, as Vertex AI has it.
        model: The model as the caller may write it.
        ends: Input and output.
        display_name: The name that the caller asks for.
    """
    given = job.get("labels")
    labels = given if isinstance(given, dict) else {}
    own = str(job.get("displayName") or "").removesuffix(_SUFFIX)
    kept = {
        **{field: value for field, value in job.items() if field not in OUTPUT_ONLY},
        "displayName": display_name or f"{own[: _MOST_NAME - len(_SUFFIX)]}{_SUFFIX}",
        "model": model,
        "labels": {key: value for key, value in labels.items() if key != MARKER_LABEL},
        "inputConfig": ends.source,
        "outputConfig": ends.target,
    }
    return msgspec.json.encode({field: value for field, value in kept.items() if value})


def inputs_of(job: dict[str, Any]) -> tuple[str, ...]:
    """Return the URIs of a job's input in Cloud Storage."""
    source = job.get("inputConfig")
    files = source.get("gcsSource") if isinstance(source, dict) else None
    return uris_of(files.get("uris")) if isinstance(files, dict) else ()
