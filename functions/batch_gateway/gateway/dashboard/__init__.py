"""The dashboard: static files that show what the API tells, and nothing else.

The page needs no key; what it shows does. Its files are read once, compressed once, and served under a
version made of their content, so that browsers keep them for good and a new deployment is seen at once.
"""

import gzip
import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from werkzeug.wrappers import Request, Response

from batch_gateway.core.errors import ApiError

_HERE = Path(__file__).parent
_PAGE = "index.html"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy: nothing from elsewhere, nothing inline, in nobody's frame."""
_FOREVER = "public, max-age=31536000, immutable"
_ASK = "no-cache"
"""Kept, and asked about before each use."""


class _File(NamedTuple):
    """A file as it is sent.

    Attributes:
        type: Content-Type.
        plain: Its bytes.
        packed: The same, gzipped.
        tag: Its ETag, without quotes.
    """

    type: str
    plain: bytes
    packed: bytes
    tag: str


class _Files(NamedTuple):
    version: str
    by_name: dict[str, _File]


def page(request: Request) -> Response:
    """``GET /dashboard``: the page, which names the version of the files that it is made of."""
    return _answer(request, _files().by_name[_PAGE], _ASK)


def file(request: Request) -> Response:
    """``GET /dashboard/VERSION/NAME``: one of its files.

    Another version than the present one is what a page asks for that was loaded before a deployment; it
    gets the present file, which must not be kept under that address.

    Raises:
        ApiError: NOT_FOUND.
    """
    version, name = request.path.split("/")[-2:]
    files = _files()
    found = files.by_name.get(name)
    if found is None or name == _PAGE:
        raise ApiError(
            "NOT_FOUND", "PATH_UNKNOWN", f"The dashboard has no file {name!r}. It is at /dashboard."
        )
    return _answer(request, found, _FOREVER if version == files.version else _ASK)


def _answer(request: Request, file: _File, caching: str) -> Response:
    response = Response(content_type=file.type)
    response.headers.update(
        {
            "Cache-Control": caching,
            "Content-Security-Policy": _POLICY,
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
        }
    )
    packed = request.accept_encodings["gzip"] > 0
    # Strong tags tell encodings apart (RFC 9110, 8.8.3.3).
    response.set_etag(f"{file.tag}-gzip" if packed else file.tag)
    if request.if_none_match.contains(response.get_etag()[0] or ""):
        response.status_code = 304
        return response
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    response.set_data(file.packed if packed else file.plain)
    return response


@cache
def _files() -> _Files:
    paths = sorted(
        path
        for folder in ("static", "vendor/uplot")
        for path in (_HERE / folder).iterdir()
        if path.suffix in _TYPES
    )
    contents = {path.name: path.read_bytes() for path in paths}
    digest = hashlib.sha256()
    for name, content in contents.items():
        digest.update(b"%s %d " % (name.encode(), len(content)) + content)
    version = digest.hexdigest()[:12]
    contents[_PAGE] = _page_of(contents, version)
    return _Files(version, {name: _file(name, content) for name, content in contents.items()})


def _page_of(contents: dict[str, bytes], version: str) -> bytes:
    """The page with the version in its addresses, and its modules named at once rather than one by one."""
    # What is fetched on demand is no module.
    modules = [name for name in contents if name.endswith(".js") and not name.startswith("uPlot")]
    preloads = "\n    ".join(
        f'<link rel="modulepreload" href="/dashboard/{{version}}/{name}" />' for name in modules
    )
    text = contents[_PAGE].decode().replace("{preloads}", preloads)
    return text.replace("{version}", version).encode()


def _file(name: str, content: bytes) -> _File:
    packed = gzip.compress(content, 9, mtime=0)
    tag = hashlib.sha256(content).hexdigest()[:32]
    return _File(_TYPES[Path(name).suffix], content, packed, tag)
