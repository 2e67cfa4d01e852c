"""Serve the dashboard: static files that show data from the API, and nothing else.

The page needs no key; the API that it calls does. Its files are read and compressed once, and served under a
version that is a hash of their content, so that browsers may cache them forever and still see a new
deployment at once.
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
_HOOKS = "hooks.module.js"
"""Preact's hooks as published, which name the library as bundlers do; browsers need its address."""
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
"""Content-Security-Policy: nothing from other origins, nothing inline, no framing."""
_FOREVER = "public, max-age=31536000, immutable"
_ASK = "no-cache"
"""Cached, and revalidated before each use."""


class _File(NamedTuple):
    """A file to send.

    Attributes:
        type: Content-Type.
        plain: Content.
        packed: The content, gzipped.
        tag: ETag, without quotes.
    """

    type: str
    plain: bytes
    packed: bytes
    tag: str


class _Files(NamedTuple):
    version: str
    by_name: dict[str, _File]


def serve_page(request: Request) -> Response:
    """Return the page, which names the version of its files (``GET /dashboard``)."""
    return _answer(request, _files().by_name[_PAGE], _ASK)


def serve_file(request: Request) -> Response:
    """Return one of the page's files (``GET /dashboard/VERSION/NAME``).

    A page that was loaded before a deployment asks for an older version; it gets the current file, which must
    not be cached under that address.

    Raises:
        ApiError: NOT_FOUND.
    """
    version, name = request.path.split("/")[-2:]
    files = _files()
    found = files.by_name.get(name)
    if found is None or name == _PAGE:
        raise ApiError("NOT_FOUND", "PATH_UNKNOWN", f"The dashboard has no file {name!r}. Open /dashboard.")
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
        for folder in ("static", "vendor/preact", "vendor/uplot")
        for path in (_HERE / folder).iterdir()
        if path.suffix in _TYPES
    )
    contents = {path.name: path.read_bytes() for path in paths}
    contents[_HOOKS] = contents[_HOOKS].replace(b'from"preact"', b'from"./preact.module.js"')
    digest = hashlib.sha256()
    for name, content in contents.items():
        digest.update(b"%s %d " % (name.encode(), len(content)) + content)
    version = digest.hexdigest()[:12]
    contents[_PAGE] = _page_of(contents, version)
    return _Files(version, {name: _file(name, content) for name, content in contents.items()})


def _page_of(contents: dict[str, bytes], version: str) -> bytes:
    """Return the page with the version in its URLs, and with all its modules preloaded at once."""
    # uPlot is loaded on demand, and is not a module.
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
