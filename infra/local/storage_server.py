"""Serve gcp-storage-emulator with what it lacks of Cloud Storage.

That is a longer queue, ifGenerationMatch=0, and resumable uploads of which nothing has arrived yet. Listings
have an ETag, so that whoever polls them is told in a few bytes that nothing has changed.
"""

from __future__ import annotations

import socketserver
import sys
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from gcp_storage_emulator.exceptions import NotFound  # type: ignore[import-untyped]
from gcp_storage_emulator.handlers import objects  # type: ignore[import-untyped]
from gcp_storage_emulator.storage import Storage  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Callable

# It serves one connection at a time. Its own queue holds only five of a burst, and the others would retry
# after TCP's pauses of one, three, seven … seconds.
socketserver.TCPServer.request_queue_size = 256


def _if_absent(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Return a handler of uploads that answers 412 to ifGenerationMatch=0 if there is an object.

    A resumable upload has the parameter in the URL of its session, so that it holds at its end, too.
    """

    def handle(request: Any, response: Any, storage: Any, *args: Any, **values: Any) -> Any:
        if request.query.get("ifGenerationMatch") == ["0"] and _is_there(request, storage):
            response.status = HTTPStatus.PRECONDITION_FAILED
            message = "At least one of the pre-conditions you specified did not hold."
            return response.json({"error": {"code": 412, "message": message}})
        return handler(request, response, storage, *args, **values)

    return handle


def _is_there(request: Any, storage: Any) -> bool:
    try:
        if "upload_id" in request.query:
            named = storage.get_resumable_file_obj(request.query["upload_id"][0])
        elif "name" in request.query:
            named = {"name": request.query["name"][0]}
        else:
            data = request.data or {}
            named = data.get("meta", data)
        storage.get_file_obj(request.params["bucket_name"], named["name"])
    except NotFound:
        return False
    return True


def _incomplete(response: Any, storage: Any, upload_id: str, **_: Any) -> None:
    """Answer that a resumable upload is incomplete, and how much of it is there.

    The emulator says ``bytes=0-0``, one byte, also if there is none; Cloud Storage then says nothing
    (https://cloud.google.com/storage/docs/performing-resumable-uploads#status-check).
    """
    response.status = objects.GoogleHTTPStatus.RESUME_INCOMPLETE
    if received := storage.get_resumable_byte_count(upload_id):
        response["Range"] = f"bytes=0-{received - 1}"


class _Changes:
    """Counts what is written, in place of the file in memory that each write would write anew and larger."""

    def __init__(self) -> None:
        self._server = uuid.uuid4().hex
        self._count = 0

    def add(self) -> None:
        self._count += 1

    @property
    def etag(self) -> str:
        return f'"{self._server}-{self._count}"'


_changes = _Changes()


def _unless_known(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Return a handler of listings that answers 304 to whoever has seen all changes."""

    def handle(request: Any, response: Any, *args: Any, **values: Any) -> Any:
        response["ETag"] = _changes.etag
        if request._request_handler.headers.get("If-None-Match") == _changes.etag:  # noqa: SLF001 - it has no other
            response.status = HTTPStatus.NOT_MODIFIED
            return None
        return handler(request, response, *args, **values)

    return handle


Storage._write_config_to_file = _changes.add  # noqa: SLF001 - every change goes through it
objects.ls = _unless_known(objects.ls)
objects._resumable_incomplete = _incomplete  # noqa: SLF001 - it has no other name
objects.insert = _if_absent(objects.insert)
objects.upload_partial = _if_absent(objects.upload_partial)

from gcp_storage_emulator.__main__ import main  # type: ignore[import-untyped] # noqa: E402 - its routes name the handlers

if __name__ == "__main__":
    sys.exit(main())
