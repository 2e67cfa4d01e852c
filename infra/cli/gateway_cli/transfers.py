"""Upload files to Cloud Storage in a resumable session, and write what is downloaded."""

import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import requests

from gateway_cli.errors import CliError, UnreachableError, UsageError

_SECONDS = (10, 300)
_TRIES = 6
"""Consecutive failures without progress after which an upload is given up."""
_LONGEST_PAUSE = 30
_INCOMPLETE = 308
"""Status of a session that waits for more."""
_PASSING = {408, 429, 500, 502, 503, 504}
_PIECE = 256 * 1024
_STORED = re.compile(r"bytes=0-([0-9]+)")


def upload(url: str, file: Path, progress: Callable[[int], None]) -> None:
    """Upload a file to a resumable session of Cloud Storage, straight from the disk.

    After an interruption it goes on behind the last byte that arrived
    (https://cloud.google.com/storage/docs/performing-resumable-uploads).

    Args:
        url: The session. It is a secret, and all the authorization that is needed.
        file: The file.
        progress: Called with the number of bytes that were sent.

    Raises:
        CliError: Cloud Storage refuses the file, or does not answer.
    """
    with file.open("rb") as source, requests.Session() as session:
        # Without this, requests would send the credentials of ~/.netrc.
        session.auth = _no_credentials
        size = os.fstat(source.fileno()).st_size
        offset, failures = 0, 0
        while True:
            answer = None
            if offset < size:
                rest = _Rest(source, offset, size, progress)
                answer = _put(session, url, f"{offset}-{size - 1}/{size}", rest)
            if answer is None or answer.status_code in _PASSING:
                time.sleep(min(2**failures - 1, _LONGEST_PAUSE))
                # How far did it get?
                answer = _put(session, url, f"*/{size}", None)
            if answer is not None and answer.ok and answer.status_code != _INCOMPLETE:
                progress(size)
                return
            if answer is not None and answer.status_code not in {_INCOMPLETE, *_PASSING}:
                raise CliError(
                    f"Cloud Storage refused the file (status {answer.status_code}). Nothing was submitted; "
                    "start again."
                )
            arrived = _arrived(answer) if answer is not None and answer.status_code == _INCOMPLETE else offset
            failures = failures + 1 if arrived <= offset else 0
            offset = arrived
            if failures == _TRIES:
                raise UnreachableError(
                    "Cloud Storage does not answer. Nothing was submitted; try again later."
                )


class _Rest:
    """The rest of a file, which requests reads piece by piece."""

    def __init__(self, source: BinaryIO, offset: int, size: int, progress: Callable[[int], None]) -> None:
        source.seek(offset)
        self._source = source
        self._offset = offset
        self._size = size
        self._progress = progress

    def __len__(self) -> int:
        return self._size - self._offset

    def read(self, _: int = -1) -> bytes:
        """Return the next piece; never more than was announced, should the file have grown."""
        piece = self._source.read(min(_PIECE, self._size - self._offset))
        if not piece and self._offset < self._size:
            raise CliError(
                "The file became shorter while it was uploaded. Nothing was submitted: run it again when "
                "nothing writes to the file."
            )
        self._offset += len(piece)
        self._progress(self._offset)
        return piece


def _no_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _put(session: requests.Session, url: str, span: str, rest: _Rest | None) -> requests.Response | None:
    """Send bytes to the session; return None if there is no answer."""
    try:
        return session.put(
            url,
            data=rest,
            headers={"Content-Range": f"bytes {span}", **({} if rest else {"Content-Length": "0"})},
            timeout=_SECONDS,
            allow_redirects=False,
        )
    except requests.RequestException:
        return None


def _arrived(answer: requests.Response) -> int:
    """Return how many bytes Cloud Storage has; it names none if it has none."""
    found = _STORED.fullmatch(answer.headers.get("Range", ""))
    return int(found[1]) + 1 if found else 0


def check_target(path: Path, *, overwrite: bool) -> None:
    """Check that a file can be written, before something is paid for.

    Raises:
        UsageError: It cannot, or it exists and must not be overwritten.
    """
    if path.is_dir() or not os.access(path if _is_special(path) else path.parent, os.W_OK):
        raise UsageError(f"{path} cannot be written. Choose another file with --out.")
    if path.exists() and not overwrite:
        raise UsageError(
            f"{path} exists. To overwrite it, give --out {path}; else name another file with --out."
        )


def write(path: Path, chunks: Iterator[bytes]) -> int:
    """Write a file that appears only when it is complete; return its size in bytes.

    A device or pipe, such as /dev/null, gets the content and is not replaced by a file.

    Raises:
        UsageError: It cannot be written.
    """
    size = 0
    is_special = _is_special(path)
    target = path if is_special else path.resolve()
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=None if is_special else target.parent)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            for chunk in chunks:
                size += file.write(chunk)
        if is_special:
            with part.open("rb") as whole, target.open("wb") as open_target:
                shutil.copyfileobj(whole, open_target)
            part.unlink()
        else:
            part.chmod(0o666 & ~_umask())
            part.replace(target)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise UsageError(f"{path} cannot be written: {error.strerror}") from error
        raise
    return size


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()


def _umask() -> int:
    """Return the mask for new files, which can be read only by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
