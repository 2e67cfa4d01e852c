"""Take input files (``POST /v1/inputs``): open an upload that goes past the gateway, or store a small one.

The gateway's account begins a resumable upload, and the caller PUTs the file to its URL without a Google
identity. Nothing is overwritten: session and direct upload are on condition that there is no such object.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType
from werkzeug.wrappers import Request

from batch_gateway.core.access.callers import Caller
from batch_gateway.core.access.input_names import MOST_NAME_BYTES, input_folder_of, output_folder_of, uri_of
from batch_gateway.core.answers import Time
from batch_gateway.core.errors import ApiError
from batch_gateway.core.jobs.output_names import split_uri
from batch_gateway.gateway.http import json_bodies, params, requests, responses
from batch_gateway.gateway.http.routing import AuditedResponse
from batch_gateway.logs import log
from batch_gateway.ports import (
    ObjectExistsError,
    ObjectsRefusedError,
    ObjectStore,
    ObjectsUnavailableError,
)

SESSION_LIFETIME = timedelta(days=7)
"""Time after which a session ends ("Resumable uploads" of Cloud Storage's documentation)."""
_ROWS = "application/jsonl"
_HINT = f'Send {{"name": …}} for an upload URL, or the rows as {_ROWS}.'


InputName = Annotated[
    str,
    Meta(
        description="The file's name below the caller's folder, with `/` between folders, and "
        f"{MOST_NAME_BYTES:,} bytes at most with its folder. Without spaces, characters that cannot be seen, "
        "any of `# * ? [ ] { } %` and the backslash, and the segments `.` and `..`; not the name of a job's "
        "output.",
        extra_json_schema={"minLength": 1, "maxLength": MOST_NAME_BYTES},
    ),
]


class NewInput(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST /v1/inputs``."""

    name: InputName


class Input(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An input file.

    Attributes:
        uri: Its URI, for ``gcsSource`` of a job.
        output_uri_prefix: Where the caller's jobs may write: a prefix for ``outputUriPrefix`` of a job, below
            which each job is best given a folder of its own.
        upload_url: Where to PUT the file; absent if it is stored already. Whoever has the URL can upload.
        expires_at: When the URL ends.
    """

    uri: str
    upload_url: Annotated[str, Meta(extra_json_schema={"format": "uri"})] | UnsetType = UNSET
    expires_at: Time | UnsetType = UNSET
    output_uri_prefix: str


class Inputs:
    """Handler of uploads."""

    def __init__(
        self,
        objects: Callable[[], ObjectStore],
        input_prefix: str | None,
        output_prefix: str | None,
        now: Callable[[], datetime],
    ) -> None:
        self._objects = objects
        self._input_prefix = input_prefix
        self._output_prefix = output_prefix
        self._now = now

    def create(self, request: Request, caller: Caller) -> AuditedResponse:
        """Open an upload for the name in a JSON body, or store a body of ``application/jsonl`` at once.

        The target is the file's URI.
        """
        params.check_names(request, {"name"})
        rows = requests.raw_body(request) if request.mimetype == _ROWS else None
        if rows is not None and not rows:
            raise params.invalid("body: is empty; send the rows, one JSON object per line")
        name = _name(request, has_rows=rows is not None)
        folder = input_folder_of(caller, self._input_prefix)
        uri = _uri(folder, name)
        output = output_folder_of(caller, self._output_prefix, folder)
        try:
            answer = self._begin(uri, output) if rows is None else self._store(uri, rows, output)
        except ObjectExistsError as error:
            raise ApiError(
                "ALREADY_EXISTS",
                "INPUT_EXISTS",
                f"{uri} is there already, and was not overwritten. Use it as it is, or choose another name.",
                metadata={"uri": uri},
            ) from error
        except ObjectsRefusedError as error:
            log("ERROR", "input refused by Cloud Storage", event="input.refused", uri=uri, error=error)
            raise ApiError(
                "FAILED_PRECONDITION",
                "INPUT_PREFIX_UNUSABLE",
                f"The gateway may not read and create objects in gs://{split_uri(uri)[0]}. Ask its "
                "administrator to give its account roles/storage.objectCreator and objectViewer on this "
                "bucket, or to put a prefix in another one first in allowed_uri_prefixes.",
                metadata={"uri": uri},
            ) from error
        except ObjectsUnavailableError as error:
            log("ERROR", "input not taken", uri=uri, error=error)
            raise ApiError(
                "UNAVAILABLE",
                "STORAGE_UNAVAILABLE",
                "Cloud Storage does not answer. Try again in a moment.",
                retry_after=5,
            ) from error
        log(
            "INFO",
            "input taken",
            event="input.taken",
            uri=uri,
            team=caller.team,
            api_key=caller.api_key,
            bytes=None if rows is None else len(rows),
        )
        return AuditedResponse(uri, responses.json(answer))

    def _begin(self, uri: str, output: str) -> Input:
        bucket, name = split_uri(uri)
        expires = (self._now() + SESSION_LIFETIME).astimezone(UTC).replace(microsecond=0)
        # The session itself would find that out only after the whole file was sent.
        if self._objects().stat(bucket, name) is not None:
            raise ObjectExistsError(uri)
        url = self._objects().begin_upload(bucket, name, _ROWS)
        return Input(uri=uri, upload_url=url, expires_at=expires, output_uri_prefix=output)

    def _store(self, uri: str, rows: bytes, output: str) -> Input:
        bucket, name = split_uri(uri)
        self._objects().create(bucket, name, rows, _ROWS)
        return Input(uri=uri, output_uri_prefix=output)


def _uri(folder: str, name: str) -> str:
    try:
        return uri_of(folder, name)
    except ValueError as error:
        raise params.invalid(str(error)) from error


def _name(request: Request, *, has_rows: bool) -> str:
    """Return the file's name: of the query if the body has the rows, else of the body.

    Raises:
        ApiError: There is none, or it is in the wrong place.
    """
    names = request.args.getlist("name")
    if has_rows:
        if len(names) != 1:
            raise params.invalid("name: the query must have one, as in /v1/inputs?name=nightly/rows.jsonl")
        return names[0]
    if names:
        raise params.invalid(f"name: belongs in the JSON body, unless the body has the rows ({_ROWS})")
    return json_bodies.decode(requests.body(request), NewInput, hint=_HINT).name
