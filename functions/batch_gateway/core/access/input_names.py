"""Decide where a caller's input and output go, and which names input files may have.

A name becomes part of a URI that jobs name as their input. So it must mean the same to everybody who reads
it: the gateway's own check of grants, Vertex AI (which reads wildcards in it) and Google's command lines.
"""

import re
import unicodedata
from collections.abc import Iterator

from batch_gateway.core.access import grants
from batch_gateway.core.access.callers import Caller
from batch_gateway.core.errors import ApiError
from batch_gateway.core.jobs.output_names import is_made_by_vertex, kind_of, split_uri

MOST_NAME_BYTES = 1024
"""Longest name of an object in UTF-8 ("Object naming requirements" of Cloud Storage)."""
_PREFIX = re.compile(r"gs://[a-z0-9][a-z0-9._-]{0,221}(/[^\s#*?\[\]{}]{1,500})?")
WILD = frozenset("#*?[]{}")
"""Characters with a meaning of their own in gcloud's and gsutil's URIs, some of them in Vertex AI's, too."""
_RESERVED = ".well-known/acme-challenge/"
_LOST = "\ufffd"
"""The character in place of bytes of a query that are not UTF-8."""


def parse_prefix(text: str) -> str | None:
    """Return a prefix for input without a trailing slash; None if it is not ``gs://BUCKET[/PATH]``."""
    prefix = grants.normalize_uri(text.removesuffix("/"))
    return prefix if prefix is not None and _PREFIX.fullmatch(prefix) else None


def input_folder_of(caller: Caller, input_prefix: str | None) -> str:
    """Return the folder for a caller's input, as ``gs://bucket/path`` without a trailing slash.

    It is the first ``gs://`` prefix of the key, else of its team, that both may use. A caller without one has
    a folder of its own below the configured prefix: a team by its id, a key without a team by its own id.
    Ids are not given out again, so that nobody else ever has the same folder.

    Raises:
        ApiError: FAILED_PRECONDITION: There is no such folder, or the caller may not name it in a job.
    """
    for folder in _folders(caller, input_prefix):
        return folder
    restricted = any(grant.allowed_uri_prefixes for grant in caller.grants)
    raise ApiError(
        "FAILED_PRECONDITION",
        "INPUT_PREFIX_MISSING",
        "There is no folder for your input: there is no gs:// prefix that both your key and its team, if it "
        "has one, may use. Ask the administrator to add one to allowed_uri_prefixes."
        if restricted
        else "There is no folder for your input. Ask the administrator to set general_settings.input_prefix, "
        "or to give your key a gs:// prefix in allowed_uri_prefixes.",
    )


def output_folder_of(caller: Caller, output_prefix: str | None, input_folder: str) -> str:
    """Return the folder below which a caller's jobs write, as ``gs://bucket/path`` without a trailing slash.

    It is the first ``gs://`` prefix, of those that key and team may use, in the bucket of the configured
    prefix, which Vertex AI may write to. A caller without prefixes has a folder of its own below the
    configured one, by the same rule as for input. Where there is neither, output goes below the input's.
    """
    if output_prefix:
        bucket = split_uri(output_prefix)[0]
        for folder in _folders(caller, output_prefix):
            if split_uri(folder)[0] == bucket:
                return folder
    return input_folder


def _folders(caller: Caller, configured: str | None) -> Iterator[str]:
    """Yield the folders that key and team may use: their prefixes, then their own below a configured one."""
    restricted = [grant.allowed_uri_prefixes for grant in caller.grants if grant.allowed_uri_prefixes]
    granted = [prefix for prefixes in restricted for prefix in prefixes]
    folders = [folder for prefix in granted if (folder := parse_prefix(prefix))]
    if configured:
        folders.append(f"{configured}/{_own_folder(caller)}")
    return (
        folder for folder in folders if all(grants.is_granted(prefixes, folder) for prefixes in restricted)
    )


def _own_folder(caller: Caller) -> str:
    if caller.team:
        return f"teams/{caller.team}"
    return f"keys/{caller.key_id}" if caller.key_id else "master"


def uri_of(folder: str, name: str) -> str:
    """Return the URI of a file in a folder; its name is written in Unicode's composed form (NFC).

    Raises:
        ValueError: The name could be read in more than one way; the message begins with "name:" and says why.
    """
    name = unicodedata.normalize("NFC", name)
    segments = name.split("/")
    if "" in segments or "." in segments or ".." in segments:
        raise ValueError(
            "name: must not be empty, begin or end with '/', or have the segments '', '.' or '..'"
        )
    if not name.isprintable() or _LOST in name or " " in name:
        raise ValueError(
            "name: must not have spaces, control characters or other characters that cannot be seen"
        )
    if not WILD.isdisjoint(name) or "\\" in name or "%" in name:
        raise ValueError("name: must not have any of the characters # * ? [ ] { } % and \\")
    uri = f"{folder}/{name}"
    _, object_name = split_uri(uri)
    if len(object_name.encode()) > MOST_NAME_BYTES:
        raise ValueError(f"name: must not be longer than {MOST_NAME_BYTES} bytes with its folder {folder}")
    if object_name.startswith(_RESERVED):
        raise ValueError(f"name: must not begin with {_RESERVED}")
    if kind_of(object_name) is not None or any(is_made_by_vertex(segment) for segment in segments):
        raise ValueError("name: must not look like the output of a job; choose another")
    if grants.normalize_uri(uri) != uri:
        raise ValueError(
            f"name: {uri!r} could be read in more than one way; use letters, digits, '.', '_' and '-'"
        )
    return uri
