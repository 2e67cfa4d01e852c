"""Serve the methods and the control endpoints over HTTP/1.1 with keep-alive."""

import gzip
import socket
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

from . import control
from .api import Api, route
from .errors import ApiError, html_404
from .faults import Fault
from .render import dump, pretty_wanted
from .requestlog import LoggedRequest

_HTML = "text/html; charset=UTF-8"
_JSON = "application/json; charset=UTF-8"
_MESSAGES = {
    429: "Resource exhausted. Please try again later. Please refer to "
    "https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429 for more details.",
    500: "Internal error encountered.",
    503: "The service is currently unavailable.",
}
_Answer = tuple[int, str, bytes]


class Server(ThreadingHTTPServer):
    """The emulator's listening socket.

    Args:
        address: Host and port; port 0 takes a free one.
        api: The methods.
        emulator: The request log, the faults and the controls.
    """

    daemon_threads = True
    block_on_close = False  # a client that keeps its connection must not hold up the end
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], api: Api, emulator: control.Controls) -> None:
        super().__init__(address, _Handler)
        self.api = api
        self.emulator = emulator


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def _serve(self) -> None:
        body = self._read_body()
        path = self.path.split("?", 1)[0]
        if path.startswith("/emulator/"):
            self._send(self._control(path, body))
            return
        headers = tuple(self.headers.items())
        self.server.emulator.requests.add(LoggedRequest(self.command, self.path, headers, body))
        fault = self.server.emulator.faults.take(self.command, self.path) or Fault()
        time.sleep(fault.delay_seconds)
        if fault.drop:
            self._hang_up()
        elif fault.status is not None:
            self._send(self._fault(fault, fault.status), fault.retry_after)
        else:
            answer = self._api(path, body)
            if fault.drop_after_processing:
                self._hang_up()
            else:
                self._send(answer)

    do_DELETE = do_GET = do_HEAD = do_OPTIONS = do_PATCH = do_POST = do_PUT = _serve  # noqa: N815

    def _query(self) -> list[tuple[str, str]]:
        return parse_qsl(self.path.partition("?")[2], keep_blank_values=True)

    def _api(self, path: str, body: bytes) -> _Answer:
        found = route(self.command, path)
        if found is None:
            return 404, _HTML, html_404(path)
        query = self._query()
        pretty = pretty_wanted(query)
        try:
            content_type = self.headers.get("Content-Type", "")
            return 200, _JSON, dump(self.server.api.answer(found, query, content_type, body), pretty=pretty)
        except ApiError as error:
            return error.http, _JSON, dump(error.body(), pretty=pretty)

    def _control(self, path: str, body: bytes) -> _Answer:
        try:
            answer = control.answer(self.server.emulator, self.command, path, body)
        except ApiError as error:
            return error.http, _JSON, dump(error.body(), pretty=True)
        return 200, _JSON, dump(answer, pretty=True)

    def _fault(self, fault: Fault, status: int | str) -> _Answer:
        if isinstance(status, str):
            return 404, _HTML, html_404(self.path)
        message = fault.message or _MESSAGES.get(status, "The emulator was told to fail.")
        return status, _JSON, dump(ApiError(status, message).body(), pretty=pretty_wanted(self._query()))

    def _read_body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return body

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _send(self, answer: _Answer, retry_after: int | None = None) -> None:
        status, content_type, content = answer
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Vary", "Origin, X-Origin, Referer")
        self.send_header("Cache-Control", "private")
        if retry_after is not None:
            self.send_header("Retry-After", str(retry_after))
        if "gzip" in self.headers.get("Accept-Encoding", ""):
            # Google compresses if the client accepts it, and a proxy in between has to handle that.
            content = gzip.compress(content)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def version_string(self) -> str:
        """Return the server name of Google's front end."""
        return "ESF"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Print nothing; the request log has more details."""
