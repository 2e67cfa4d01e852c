"""Reading a job's input from, and writing its output to, the Cloud Storage emulator."""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from tempfile import SpooledTemporaryFile
from typing import Any

from google.api_core.exceptions import GoogleAPIError, NotFound
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client  # type: ignore[import-untyped,unused-ignore]
from google.cloud.storage.retry import DEFAULT_RETRY  # type: ignore[import-untyped,unused-ignore]

from .errors import FAILED_PRECONDITION, INTERNAL, INVALID_ARGUMENT

_IN_MEMORY = 8 * 1024 * 1024
_RETRY = DEFAULT_RETRY.with_timeout(10)  # a storage emulator that is gone must not hold up all jobs


class JobFailure(Exception):  # noqa: N818 - it is a job's end, told to the job's owner
    """Why a whole job fails: the code and message of its `error`."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@contextmanager
def _failing(missing: JobFailure) -> Iterator[None]:
    """Turn a 404 into `missing`, and any other trouble with storage into a system error."""
    try:
        yield
    except NotFound as error:
        raise missing from error
    except (GoogleAPIError, OSError) as error:
        raise JobFailure(INTERNAL, f"System error. {error}") from error


def split_uri(uri: str) -> tuple[str, str]:
    """Return the bucket and the object name or prefix of a `gs://` URI."""
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    return bucket, name


class Storage:
    """The storage emulator, seen with Google's own client."""

    def __init__(self, endpoint: str) -> None:
        self._client = Client(
            project="vertex-emulator",
            credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
            client_options={"api_endpoint": endpoint},
        )

    def check_bucket(self, uri: str) -> None:
        """Fail a job whose bucket isn't there, with the message of a live job."""
        bucket, _ = split_uri(uri)
        failure = JobFailure(FAILED_PRECONDITION, f"Failed to get GCS bucket location for {bucket}.")
        with _failing(failure):
            self._client.get_bucket(bucket, retry=_RETRY)

    def read_lines(self, uris: list[str]) -> list[bytes]:
        """Return the rows of all input objects, blank ones left out.

        Args:
            uris: Of objects, with `*` allowed in the name.

        Raises:
            JobFailure: A bucket or object isn't there, there are no rows, or one is no JSON object.
        """
        lines: list[bytes] = []
        for uri in uris:
            self.check_bucket(uri)
            for name in self._matching(uri):
                lines += self._object_lines(split_uri(uri)[0], name)
        if not lines:
            raise JobFailure(INVALID_ARGUMENT, "Failed to import data. The input has no rows.")
        return lines

    def _matching(self, uri: str) -> list[str]:
        bucket, name = split_uri(uri)
        if "*" not in name:
            return [name]
        missing = JobFailure(INVALID_ARGUMENT, f"Failed to import data. Not found: Uris {uri}")
        with _failing(missing):
            prefix = name.split("*", 1)[0]
            names = [blob.name for blob in self._client.list_blobs(bucket, prefix=prefix, retry=_RETRY)]
        pattern = ".*".join(re.escape(part) for part in name.split("*"))
        found = sorted(found for found in names if re.fullmatch(pattern, found))
        if not found:
            raise missing
        return found

    def _object_lines(self, bucket: str, name: str) -> list[bytes]:
        uri = f"gs://{bucket}/{name}"
        missing = JobFailure(INVALID_ARGUMENT, f"Failed to import data. Not found: Uris {uri}")
        with _failing(missing):
            content: bytes = self._client.bucket(bucket).blob(name).download_as_bytes(retry=_RETRY)
        lines = []
        for number, line in enumerate(content.split(b"\n"), 1):
            if line.strip():
                _check_row(line, number, uri)
                lines.append(line)
        return lines

    def write_lines(self, uri: str, lines: Iterable[bytes]) -> None:
        """Write one object; `lines` are written as they are made, so that long ones fit."""
        bucket, name = split_uri(uri)
        with SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
            for line in lines:
                spool.write(line + b"\n")
            size = spool.tell()
            spool.seek(0)
            blob = self._client.bucket(bucket).blob(name)
            with _failing(JobFailure(INTERNAL, f"Failed to export data. Not found: bucket {bucket}.")):
                blob.upload_from_file(spool, size=size, content_type="application/octet-stream", retry=_RETRY)


def _check_row(line: bytes, number: int, uri: str) -> None:
    try:
        row: Any = json.loads(line)
    except ValueError:
        row = None
    if not isinstance(row, dict):
        raise JobFailure(
            INVALID_ARGUMENT,
            "Failed to import data. Error while reading data, error message: JSON parsing error in row "
            f"{number} of {uri}.",
        )
