"""Check jobs against the models, projects, locations and URIs that a key was granted.

The gateway's service account reads and writes for everybody, so everything that a limited key names in a job
has to be checked against its grants (the confused deputy problem).
"""

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

from batch_gateway.core.access.limits import Grant
from batch_gateway.core.errors import ApiError
from batch_gateway.core.jobs.resource_names import parse_resource

_URI = re.compile(r"\s*(gs|bq):/*(.*)", re.IGNORECASE | re.DOTALL)
_NORMALIZED = re.compile(r"(gs|bq)://([^\x00-\x20\\%\x7f]+)")
_KNOWN_PUBLISHERS = frozenset({"google", "anthropic"})
_MODEL_FIELDS = frozenset({"endpoint", "unmanagedcontainermodel", "dedicatedresources", "serviceaccount"})
"""Fields (lower case, no underscores) that replace ``model``, or change what it costs and may do: grants
do not cover machines and accounts."""
_COST_FIELDS = frozenset({"endpoint", "unmanagedcontainermodel", "dedicatedresources", "instanceconfig"})
"""Fields whose cost cannot be estimated: machines by the hour, rows that are changed on the way."""
_URI_FIELDS = frozenset({"uris", "inputuri", "outputuri", "outputuriprefix"})
"""Fields that hold a URI, whatever their value looks like."""
_IDENTITY_FIELDS = frozenset(
    {
        "serviceaccount",
        "encryptionspec",
        "unmanagedcontainermodel",
        "dataset",
        "vertexmultimodaldatasetsource",
        "vertexmultimodaldatasetdestination",
    }
)
"""Fields that name data or identities that URI prefixes cannot cover."""
_RESOURCE_FIELDS = frozenset({"endpoint", "dataset", "datasetname"})
"""Fields that hold the name of a resource."""
_FORMATS = frozenset({"jsonl", "csv", "bigquery", "tf-record", "tf-record-gzip"})
"""Values of instancesFormat that read only what the URIs name; a ``file-list`` names further files."""


def check_place(grants: Iterable[Grant], project: str, location: str) -> None:
    """Check that all grants allow a project and location.

    Raises:
        ApiError: PERMISSION_DENIED: One of the grants does not.
    """
    for grant in grants:
        if grant.projects and project not in grant.projects:
            allowed = ", ".join(grant.projects)
            message = f"This API key may not use the project {project!r}; it may use: {allowed}."
            raise ApiError("PERMISSION_DENIED", "PROJECT_NOT_ALLOWED", message, metadata={"project": project})
        if grant.locations and location not in grant.locations:
            allowed = ", ".join(grant.locations)
            message = f"This API key may not use the location {location!r}; it may use: {allowed}."
            raise ApiError(
                "PERMISSION_DENIED", "LOCATION_NOT_ALLOWED", message, metadata={"location": location}
            )


def check_model(grants: Sequence[Grant], written: str, resource: str, *, is_alias: bool = False) -> None:
    """Check that all grants allow a model, and its project if it has one.

    Args:
        grants: The grants of key and team.
        written: The model as the caller wrote it.
        resource: Its resource name, with the id of a served project in place of its number.
        is_alias: Whether it was written as an alias.

    Raises:
        ApiError: PERMISSION_DENIED: One of the grants does not.
    """
    if not any(grant.models or grant.projects or grant.locations for grant in grants):
        return
    model = parse_resource(resource)
    if model is None or model.kind != "models":
        raise ApiError(
            "PERMISSION_DENIED",
            "MODEL_NOT_ALLOWED",
            f"This API key is limited to certain models, and {written!r} does not name a model. Write "
            "publishers/PUBLISHER/models/MODEL or projects/PROJECT/locations/LOCATION/models/ID.",
            metadata={"model": written},
        )
    if model.project:
        check_place(grants, model.project, model.location)
    # A short name stands only for models of publishers whose names nobody else can take: owners choose the
    # ids of the models in their projects, and any publisher may use any name.
    names = {resource, model.path}
    if model.publisher in _KNOWN_PUBLISHERS:
        names.add(model.name)
    if is_alias:
        names.add(written)
    for grant in grants:
        if grant.models and not any(fnmatchcase(name, pattern) for name in names for pattern in grant.models):
            raise ApiError(
                "PERMISSION_DENIED",
                "MODEL_NOT_ALLOWED",
                f"This API key may not use the model {written!r}; it may use: {', '.join(grant.models)}.",
                metadata={"model": written},
            )


def check_body(
    grants: Sequence[Grant], body: Any, *, has_budget: bool = False, own_uris: Container[str] = frozenset()
) -> None:
    """Check that all grants allow the data and models that a job names.

    Every ``gs://`` and ``bq://`` URI in the body counts, whatever field it is in: v1beta1 has several, and a
    field may be written in camelCase or snake_case.

    Args:
        grants: The grants of key and team.
        body: Body of the create.
        has_budget: Whether the cost of the job is limited too.
        own_uris: URIs that need no grant.

    Raises:
        ApiError: PERMISSION_DENIED: One of the grants does not.
    """
    restricted = [grant.allowed_uri_prefixes for grant in grants if grant.allowed_uri_prefixes]
    refused = _IDENTITY_FIELDS if restricted else frozenset()
    if any(grant.models or grant.projects for grant in grants):
        refused |= _MODEL_FIELDS
    if has_budget:
        refused |= _COST_FIELDS
    for field, value in _members(body):
        if restricted and field == "instancesformat" and str(value) not in _FORMATS:
            raise ApiError(
                "PERMISSION_DENIED",
                "FIELD_NOT_ALLOWED",
                f"This API key is limited in what it may read, and the instancesFormat {str(value)[:40]!r} "
                f"may read more than the URIs name. Use one of: {', '.join(sorted(_FORMATS))}.",
                metadata={"field": field},
            )
        if field in refused and value is not None:
            raise ApiError(
                "PERMISSION_DENIED",
                "FIELD_NOT_ALLOWED",
                f"This API key is limited in what it may use, and the field {field!r} goes beyond "
                "that. Use model, gcsSource, bigquerySource, gcsDestination and bigqueryDestination.",
                metadata={"field": field},
            )
        is_uri = isinstance(value, str) and (field in _URI_FIELDS or _URI.match(value))
        if is_uri and value not in own_uris:
            for prefixes in restricted:
                check_uri(prefixes, value)


def check_uri(prefixes: Iterable[str], uri: str) -> None:
    """Check that a URI is under one of the prefixes.

    Raises:
        ApiError: PERMISSION_DENIED: It is not.
    """
    prefixes = tuple(prefixes)
    if not is_granted(prefixes, uri):
        raise ApiError(
            "PERMISSION_DENIED",
            "URI_NOT_ALLOWED",
            f"This API key may not read or write {uri!r}; it may use: {', '.join(sorted(prefixes))}.",
            metadata={"uri": uri},
        )


def is_granted(prefixes: Iterable[str], uri: str) -> bool:
    """Return True if a URI is under one of the prefixes."""
    normalized = normalize_uri(uri)
    return normalized is not None and any(_is_under(normalized, prefix) for prefix in prefixes)


def normalize_uri(uri: str) -> str | None:
    """Return a URI in the form that is compared; None if it could be read in more than one way.

    Cloud Storage takes names literally, so ``..``, ``//`` and ``%2e`` have no special meaning there; but in
    the job of a limited key they are refused as a possible attack.
    """
    match = _URI.match(uri)
    normalized = f"{match[1].lower()}://{match[2]}" if match and uri == uri.strip() else ""
    if not _NORMALIZED.fullmatch(normalized) or uri.partition(":")[2] != f"//{match[2] if match else ''}":
        return None
    scheme, _, rest = normalized.partition("://")
    if scheme == "bq":
        # PROJECT:DATASET is the older form of PROJECT.DATASET; DOMAIN.TLD:PROJECT is a project.
        head, dot, tail = rest.partition(".")
        return f"bq://{head.replace(':', '.')}{dot}{tail}"
    bucket, slash, path = rest.partition("/")
    segments = path.rstrip("/").split("/")
    if path and ("" in segments or "." in segments or ".." in segments):
        return None
    return f"gs://{bucket.lower()}{slash}{path}"


def _is_under(uri: str, prefix: str) -> bool:
    """Return True if a URI is the granted one or below it; wildcards must follow the whole prefix."""
    normal = normalize_uri(prefix) or prefix
    border = "/" if normal.startswith("gs://") else "."
    normal = normal.rstrip(border)
    return uri.rstrip(border) == normal or uri.startswith(normal + border)


def resource_names(body: Any) -> Iterator[tuple[str, str]]:
    """Yield (field, name) for every resource that a job names beside its model."""
    return (
        (field, value)
        for field, value in _members(body)
        if field in _RESOURCE_FIELDS and isinstance(value, str)
    )


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield every (field, value) of nested JSON, fields in lower case and without underscores.

    Names in a map of labels are the callers' own and not fields.
    """
    stack: list[tuple[str, Any]] = [("", value)]
    while stack:
        field, value = stack.pop()
        yield field, value
        if isinstance(value, dict) and field == "labels":
            stack += [(field, member) for member in value.values()]
        elif isinstance(value, dict):
            stack += [(str(key).replace("_", "").lower(), member) for key, member in value.items()]
        elif isinstance(value, list):
            stack += [(field, member) for member in value]
