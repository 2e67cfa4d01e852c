"""Read, list and create objects in Cloud Storage."""

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from urllib.parse import quote

from google.api_core.exceptions import (
    Forbidden,
    GoogleAPICallError,
    NotFound,
    PreconditionFailed,
    RetryError,
    from_http_response,
)
from google.auth.exceptions import GoogleAuthError
from google.cloud.storage import Client
from google.cloud.storage.blob import Blob
from google_crc32c import Checksum
from requests import Response
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from batch_gateway.ports import (
    ObjectChangedError,
    ObjectExistsError,
    ObjectInfo,
    ObjectsRefusedError,
    ObjectsUnavailableError,
)

_ABSENT = 0
"""The generation of an object that is not there ("Request preconditions" of Cloud Storage)."""
_CHUNK_BYTES = 1024 * 1024
_ATTEMPTS = 5
"""Consecutive failures, with no byte read in between, after which a download is given up."""
_BACKOFF_SECONDS = 0.5
_LISTED = "items(name,generation,size,timeCreated),nextPageToken"
"""Fields of a listing. Custom metadata is left out: it may be 8 KiB for each of 1,000 objects on a page."""
_TIMEOUT_SECONDS = 60.0
"""Time limit for connecting, and for each read."""
_TRANSIENT = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
"""Statuses that Cloud Storage asks to retry ("Retry strategy" in its documentation)."""


class CloudStorage:
    """The ObjectStore port."""

    def __init__(self, project: str) -> None:
        self._client = Client(project=project or None)

    def stat(self, bucket: str, name: str) -> ObjectInfo | None:
        with _translate_errors():
            blob = self._client.bucket(bucket).get_blob(name)
        return _info(blob) if blob else None

    def read(self, bucket: str, name: str, generation: int, start: int = 0) -> Iterator[bytes]:
        """Stream an object in one request; google-cloud-storage's own reader makes one for each chunk.

        If the connection breaks off, the next request continues at the same byte. An object that is read from
        its beginning is checked against its checksum.
        """
        with _translate_errors():
            yield from _Download(self._client, bucket, name, generation, start)

    def list(self, bucket: str, prefix: str) -> Iterator[ObjectInfo]:
        with _translate_errors(), suppress(NotFound):
            for blob in self._client.list_blobs(bucket, prefix=prefix, fields=_LISTED):
                yield _info(blob)

    def create(self, bucket: str, name: str, data: bytes, content_type: str) -> None:
        with _translate_errors():
            try:
                self._client.bucket(bucket).blob(name).upload_from_string(
                    data, content_type, if_generation_match=_ABSENT
                )
            except PreconditionFailed as error:
                raise ObjectExistsError(f"gs://{bucket}/{name}") from error

    def begin_upload(self, bucket: str, name: str, content_type: str) -> str:
        with _translate_errors():
            url: str = (
                self._client.bucket(bucket)
                .blob(name)
                .create_resumable_upload_session(content_type, if_generation_match=_ABSENT)
            )
        return url


class _Download:
    """Streams the bytes of one generation, beginning at ``start``."""

    def __init__(self, client: Client, bucket: str, name: str, generation: int, start: int) -> None:
        self._http = client._http  # noqa: SLF001 - the authorized session, which has no public name
        self._url = (
            f"{client.api_endpoint}/download/storage/v1/b/{quote(bucket, safe='')}/o/{quote(name, safe='')}"
            f"?alt=media&generation={generation}"
        )
        self._what = f"gs://{bucket}/{name}#{generation}"
        self._at = start
        self._checksum = Checksum()
        self._expected: str | None = None
        self._failures = 0

    def __iter__(self) -> Iterator[bytes]:
        while True:
            try:
                yield from self._stream()
            except (HTTPError, RequestException, _TransientError) as error:
                self._failures += 1
                if self._failures >= _ATTEMPTS:
                    raise ObjectsUnavailableError(f"{self._what}: {error}") from error
                time.sleep(_BACKOFF_SECONDS * 2 ** (self._failures - 1))
            else:
                break
        if self._expected not in {None, base64.b64encode(self._checksum.digest()).decode()}:
            raise ObjectsUnavailableError(f"{self._what}: the data that was read does not match its checksum")

    def _stream(self) -> Iterator[bytes]:
        # As google-cloud-storage does: with gzip, a compressed object is sent as it is stored.
        headers = {"Accept-Encoding": "gzip"}
        if self._at:
            headers["Range"] = f"bytes={self._at}-"
        response = self._http.request(
            "GET", self._url, headers=headers, stream=True, timeout=_TIMEOUT_SECONDS
        )
        if not response.ok:
            self._raise_for_status(response)
            return
        with response:
            if self._at and response.status_code != HTTPStatus.PARTIAL_CONTENT:
                raise _TransientError(f"{response.status_code} in answer to a request for a range")
            if not self._at:
                self._expected = _crc32c(response)
            while chunk := response.raw.read(_CHUNK_BYTES, decode_content=False):
                self._at += len(chunk)
                self._failures = 0
                self._checksum.update(chunk)
                yield chunk

    def _raise_for_status(self, response: Response) -> None:
        """Raise the error of an answer; return if it means that there are no more bytes."""
        error = from_http_response(response)  # it reads the answer, which frees the connection
        if response.status_code == HTTPStatus.NOT_FOUND:
            raise ObjectChangedError(self._what) from error
        if response.status_code in _TRANSIENT:
            raise _TransientError(str(error)) from error
        if response.status_code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise error


class _TransientError(Exception):
    """An answer that should be retried."""


def _crc32c(response: Response) -> str | None:
    """Return the object's checksum from ``x-goog-hash: crc32c=…,md5=…``."""
    hashes = response.headers.get("x-goog-hash", "").replace(" ", "").split(",")
    return next((value.removeprefix("crc32c=") for value in hashes if value.startswith("crc32c=")), None)


@contextmanager
def _translate_errors() -> Iterator[None]:
    try:
        yield
    except (Forbidden, NotFound) as error:
        raise ObjectsRefusedError(str(error)) from error
    except (GoogleAPICallError, GoogleAuthError, RetryError, RequestException) as error:
        raise ObjectsUnavailableError(str(error)) from error


def _info(blob: Blob) -> ObjectInfo:
    return ObjectInfo(blob.name, int(blob.generation), int(blob.size), blob.time_created)
