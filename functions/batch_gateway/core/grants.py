"""What a key may touch: models, projects, locations, and places in Cloud Storage and BigQuery.

The gateway's service account reads and writes for everybody, so whatever a scoped key names in a
job has to be held against what it was granted (the confused deputy).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from batch_gateway.core.errors import ApiError

_URI = re.compile(r"\s*(gs|bq):/*(.*)", re.IGNORECASE | re.DOTALL)
_PLAIN = re.compile(r"(gs|bq)://([^\x00-\x20\\%\x7f]+)")
_MODEL = re.compile(
    r"(?:projects/(?P<project>[a-z0-9:.-]+)/locations/(?P<location>[a-z0-9-]+)/)?"
    r"(?P<path>(?:publishers/(?P<publisher>[a-z0-9-]+)/)?models/(?P<name>[A-Za-z0-9._-]+(?:@[A-Za-z0-9._-]+)?))"
)
_KNOWN_PUBLISHERS = frozenset({"google", "anthropic"})
_MODEL_FIELDS = frozenset({"endpoint", "unmanagedcontainermodel"})
"""Fields (lower case, no underscores) that take the place of ``model``."""
_URI_FIELDS = frozenset({"uris", "inputuri", "outputuri", "outputuriprefix"})
"""Fields that hold a URI whatever their value looks like."""
_IDENTITY_FIELDS = frozenset(
    {
        "serviceaccount",
        "unmanagedcontainermodel",
        "dataset",
        "vertexmultimodaldatasetsource",
        "vertexmultimodaldatasetdestination",
    }
)
"""Likewise, those that name data or identities that no URI prefix can be held against."""


class Grant(msgspec.Struct, frozen=True):
    """What is allowed. An empty list allows everything of its kind.

    Attributes:
        models: Names or patterns with ``*``: as callers write them, or short names such as ``gemini-2.5-*``.
        projects: Ids.
        locations: Locations.
        allowed_uri_prefixes: ``gs://bucket/path`` and ``bq://project.dataset``, for input and output.
        rpm_limit: Requests a minute; None for no limit.
    """

    models: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    allowed_uri_prefixes: tuple[str, ...] = ()
    rpm_limit: int | None = None


def check_place(grants: Iterable[Grant], project: str, location: str) -> None:
    """Refuses a project or location that one of the grants leaves out.

    Raises:
        ApiError: PERMISSION_DENIED.
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
    """Refuses a model that one of the grants leaves out, or that is of a project which one leaves out.

    Args:
        grants: Of key and team.
        written: As the caller wrote it.
        resource: What it stands for, with the id of a served project in place of its number.
        is_alias: Whether it was written as an alias.

    Raises:
        ApiError: PERMISSION_DENIED.
    """
    if not any(grant.models or grant.projects or grant.locations for grant in grants):
        return
    match = _MODEL.fullmatch(resource)
    if match is None:
        raise ApiError(
            "PERMISSION_DENIED",
            "MODEL_NOT_ALLOWED",
            f"This API key is limited to certain models, and {written!r} names none. Write "
            "publishers/PUBLISHER/models/MODEL or projects/PROJECT/locations/LOCATION/models/ID.",
            metadata={"model": written},
        )
    if match["project"]:
        check_place(grants, match["project"], match["location"])
    # A short name means the model of those whose names nobody else can take. Owners choose the ids of
    # the models in a project, and any publisher may use any name.
    names = {resource, match["path"]}
    if match["publisher"] in _KNOWN_PUBLISHERS:
        names.add(match["name"])
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


def check_body(grants: Sequence[Grant], body: Any) -> None:
    """Refuses a job that names data or models outside of what one of the grants allows.

    Every ``gs://`` and ``bq://`` in the body counts, in whatever field: v1beta1 has several, and a
    field may be written in camelCase or snake_case.

    Raises:
        ApiError: PERMISSION_DENIED.
    """
    restricted = [grant.allowed_uri_prefixes for grant in grants if grant.allowed_uri_prefixes]
    refused = _IDENTITY_FIELDS if restricted else frozenset()
    if any(grant.models or grant.projects for grant in grants):
        refused |= _MODEL_FIELDS
    for field, value in _members(body):
        if field in refused and value is not None:
            raise ApiError(
                "PERMISSION_DENIED",
                "FIELD_NOT_ALLOWED",
                f"This API key is limited in what it may use, and the field {field!r} reaches beyond "
                "that. Use model, gcsSource, bigquerySource, gcsDestination and bigqueryDestination.",
                metadata={"field": field},
            )
        if isinstance(value, str) and (field in _URI_FIELDS or _URI.match(value)):
            for prefixes in restricted:
                check_uri(prefixes, value)


def check_uri(prefixes: Iterable[str], uri: str) -> None:
    """Refuses a URI that is not under any of the prefixes.

    Raises:
        ApiError: PERMISSION_DENIED.
    """
    plain = normal_uri(uri)
    prefixes = tuple(prefixes)
    if plain is None or not any(_under(plain, prefix) for prefix in prefixes):
        raise ApiError(
            "PERMISSION_DENIED",
            "URI_NOT_ALLOWED",
            f"This API key may not read or write {uri!r}; it may use: {', '.join(sorted(prefixes))}.",
            metadata={"uri": uri},
        )


def normal_uri(uri: str) -> str | None:
    """A URI in the one form that is compared; None if it could be read in more than one way.

    Cloud Storage takes names literally, so ``..``, ``//`` and ``%2e`` are no tricks there; but
    whoever writes them into a limited key's job is not trusted to mean that.
    """
    match = _URI.match(uri)
    plain = f"{match[1].lower()}://{match[2]}" if match and uri == uri.strip() else ""
    if not _PLAIN.fullmatch(plain) or uri.partition(":")[2] != f"//{match[2] if match else ''}":
        return None
    scheme, _, rest = plain.partition("://")
    if scheme == "bq":
        # PROJECT:DATASET is the older form of PROJECT.DATASET; DOMAIN.TLD:PROJECT is a project.
        head, dot, tail = rest.partition(".")
        return f"bq://{head.replace(':', '.')}{dot}{tail}"
    bucket, slash, path = rest.partition("/")
    segments = path.rstrip("/").split("/")
    if path and ("" in segments or "." in segments or ".." in segments):
        return None
    return f"gs://{bucket.lower()}{slash}{path}"


def _under(uri: str, prefix: str) -> bool:
    """Whether a normal URI is the granted one or below it; a wildcard has to come after the whole prefix."""
    normal = normal_uri(prefix) or prefix
    border = "/" if normal.startswith("gs://") else "."
    normal = normal.rstrip(border)
    return uri.rstrip(border) == normal or uri.startswith(normal + border)


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    """Every (field, value) of nested JSON, fields in lower case and without underscores."""
    stack: list[tuple[str, Any]] = [("", value)]
    while stack:
        field, value = stack.pop()
        yield field, value
        if isinstance(value, dict):
            stack += [(str(key).replace("_", "").lower(), member) for key, member in value.items()]
        elif isinstance(value, list):
            stack += [(field, member) for member in value]
