"""What a key may touch: models, projects, locations, and places in Cloud Storage and BigQuery.

The gateway's service account reads and writes for everybody, so whatever a scoped key names in a
job has to be held against what it was granted (the confused deputy).
"""

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from batch_gateway.core.errors import ApiError
from batch_gateway.core.models import short_name

_URI = re.compile(r"\s*(gs|bq):/*(.*)", re.IGNORECASE | re.DOTALL)
_PLAIN = re.compile(r"(gs|bq)://([^\x00-\x20\\%\x7f]+)")
_IDENTITY_FIELDS = frozenset(
    {
        "serviceaccount",
        "unmanagedcontainermodel",
        "vertexmultimodaldatasetsource",
        "vertexmultimodaldatasetdestination",
    }
)
"""Fields (lower case, no underscores) that name data or identities that no URI prefix can be held against."""


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


def check_model(grants: Iterable[Grant], written: str, resource: str) -> None:
    """Refuses a model that one of the grants leaves out.

    Args:
        grants: Of key and team.
        written: As the caller wrote it.
        resource: What it stands for.

    Raises:
        ApiError: PERMISSION_DENIED.
    """
    # The resource decides. The written name counts only where it is an alias: a full name cannot
    # be mistaken for one, since aliases are looked up by equality.
    names = {short_name(resource), resource, written}
    for grant in grants:
        if grant.models and not any(fnmatchcase(name, pattern) for name in names for pattern in grant.models):
            raise ApiError(
                "PERMISSION_DENIED",
                "MODEL_NOT_ALLOWED",
                f"This API key may not use the model {written!r}; it may use: {', '.join(grant.models)}.",
                metadata={"model": written},
            )


def check_body(grants: Iterable[Grant], body: Any) -> None:
    """Refuses a job that names data outside of what one of the grants allows.

    Every ``gs://`` and ``bq://`` in the body counts, in whatever field: v1beta1 has several, and a
    field may be written in camelCase or snake_case.

    Raises:
        ApiError: PERMISSION_DENIED.
    """
    restricted = [grant.allowed_uri_prefixes for grant in grants if grant.allowed_uri_prefixes]
    if not restricted:
        return
    for field, value in _members(body):
        if field in _IDENTITY_FIELDS:
            raise ApiError(
                "PERMISSION_DENIED",
                "FIELD_NOT_ALLOWED",
                f"This API key is limited to certain URIs, and the field {field!r} reaches beyond them. Use "
                "gcsSource, bigquerySource, gcsDestination or bigqueryDestination.",
                metadata={"field": field},
            )
        if isinstance(value, str) and _URI.match(value):
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
        return f"bq://{rest.replace(':', '.')}"
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
