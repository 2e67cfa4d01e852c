"""Parse the names of Google's resources that callers send: projects, locations, models, endpoints, datasets.

They become hosts, and paths of calls that are made with the gateway's own token. So one strict rule holds for
all of them: no dot segments, and no characters that have a meaning in a URL.
"""

import re
from typing import NamedTuple

_LOCATION = re.compile(r"global|us|eu|[a-z]{2,20}-[a-z]{2,20}[0-9]{1,2}")
_PROJECT = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]|[a-z0-9.-]+\.[a-z]+:[a-z][a-z0-9-]*|[0-9]{1,19}")
_ID = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
_RESOURCE = re.compile(
    r"(?:projects/(?P<project>[^/]{1,99})/locations/(?P<location>[^/]{1,99})/)?"
    r"(?P<path>(?:publishers/(?P<publisher>[a-z0-9][a-z0-9-]{0,62})/)?"
    rf"(?P<kind>models|endpoints|datasets)/(?P<name>{_ID}(?:@{_ID})?))"
)


class Resource(NamedTuple):
    """The parts of a resource's name.

    Attributes:
        project: Id or number; empty in a name that begins below a location.
        location: Location; empty in a name that begins below a location.
        path: The rest of the name, such as ``publishers/google/models/gemini-2.5-flash``.
        publisher: Publisher of a publisher's model; else empty.
        kind: ``models``, ``endpoints`` or ``datasets``.
        name: The last part, with its version if it has one.
    """

    project: str
    location: str
    path: str
    publisher: str
    kind: str
    name: str


def parse_resource(name: str) -> Resource | None:
    """Return the parts of a resource's name; None if it must not become part of a path."""
    match = _RESOURCE.fullmatch(name)
    if match is None:
        return None
    project, location = match["project"] or "", match["location"] or ""
    if project and not (is_project(project) and is_location(location)):
        return None
    return Resource(project, location, match["path"], match["publisher"] or "", match["kind"], match["name"])


def is_location(location: str) -> bool:
    """Return True if this could be one of Google's locations and may become part of a host name."""
    return _LOCATION.fullmatch(location) is not None


def is_project(project: str) -> bool:
    """Return True if this is a project id or a project number."""
    return _PROJECT.fullmatch(project) is not None
