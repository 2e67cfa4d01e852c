"""Read a job's input from the Cloud Storage emulator, and write its output to it."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from tempfile import SpooledTemporaryFile

from google.api_core.exceptions import GoogleAPIError, NotFound
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client  # type: ignore[import-untyped,unused-ignore]
from google.cloud.storage.retry import DEFAULT_RETRY  # type: ignore[import-untyped,unused-ignore]

from .errors import FAILED_PRECONDITION, INTERNAL, INVALID_ARGUMENT

_IN_MEMORY = 8 * 1024 * 1024
_RETRY = DEFAULT_RETRY.with_timeout(10)  # a storage emulator that has ended must not hold up all jobs


class JobFailure(Exception):  # noqa: N818 - the end of a job, not an error of the emulator
    """The failure of a whole job: the code and message of its `error`."""

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
    """The storage emulator, used through Google's own client."""

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
        """Return the lines of all input objects, blank ones left out; arguments as of `read_objects`."""
        return [
            line for _, content in self.read_objects(uris) for line in content.split(b"\n") if line.strip()
        ]

    def read_objects(self, uris: list[str]) -> Iterator[tuple[str, bytes]]:
        """Yield the URI and the content of all input objects.

        Args:
            uris: Of objects, with `*` allowed in the name.

        Raises:
            JobFailure: A bucket or object isn't there.
        """
        for uri in uris:
            self.check_bucket(uri)
            bucket, _ = split_uri(uri)
            for name in self._matching(uri):
                found = f"gs://{bucket}/{name}"
                missing = JobFailure(INVALID_ARGUMENT, f"Failed to import data. Not found: Uris {found}")
                with _failing(missing):
                    content: bytes = self._client.bucket(bucket).blob(name).download_as_bytes(retry=_RETRY)
                yield found, content

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

    def write_lines(self, uri: str, lines: Iterable[bytes]) -> None:
        """Write one object, streaming `lines`, so that large objects fit in memory."""
        bucket, name = split_uri(uri)
        with SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
            for line in lines:
                spool.write(line + b"\n")
            size = spool.tell()
            spool.seek(0)
            blob = self._client.bucket(bucket).blob(name)
            with _failing(JobFailure(INTERNAL, f"Failed to export data. Not found: bucket {bucket}.")):
                blob.upload_from_file(spool, size=size, content_type="application/octet-stream", retry=_RETRY)
