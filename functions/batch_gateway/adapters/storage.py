"""Cloud Storage."""

from collections.abc import Iterator
from contextlib import contextmanager

from google.api_core.exceptions import GoogleAPICallError, NotFound, RetryError
from google.auth.exceptions import GoogleAuthError
from google.cloud.storage import Client
from google.cloud.storage.blob import Blob
from requests.exceptions import RequestException

from batch_gateway.ports import ObjectChangedError, ObjectInfo, ObjectsUnavailableError

_CHUNK_BYTES = 8 * 1024 * 1024


class CloudStorage:
    """The ObjectStore port."""

    def __init__(self, project: str) -> None:
        self._client = Client(project=project or None)

    def stat(self, bucket: str, name: str) -> ObjectInfo | None:
        """See ObjectStore."""
        with _errors():
            blob = self._client.bucket(bucket).get_blob(name)
        return _info(blob) if blob else None

    def read(self, bucket: str, name: str, generation: int) -> Iterator[bytes]:
        """See ObjectStore."""
        blob = self._client.bucket(bucket).blob(name, generation=generation)
        with _errors():
            try:
                with blob.open("rb", chunk_size=_CHUNK_BYTES) as file:
                    while chunk := file.read(_CHUNK_BYTES):
                        yield chunk
            except NotFound as error:
                raise ObjectChangedError(f"gs://{bucket}/{name}#{generation}") from error

    def list(self, bucket: str, prefix: str) -> list[ObjectInfo]:
        """See ObjectStore."""
        with _errors():
            try:
                return [_info(blob) for blob in self._client.list_blobs(bucket, prefix=prefix)]
            except NotFound:
                return []


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except (GoogleAPICallError, GoogleAuthError, RetryError, RequestException) as error:
        raise ObjectsUnavailableError(str(error)) from error


def _info(blob: Blob) -> ObjectInfo:
    return ObjectInfo(blob.name, int(blob.generation), int(blob.size), blob.time_created)
