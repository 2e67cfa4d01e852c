"""Stands between one client and the gateway, and keeps what the client really sent."""

import threading
from contextlib import suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from typing import NamedTuple

from patience import PATIENCE
from servers import Server

HOST = "127.0.0.1"


class Request(NamedTuple):
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    status: int
    answer: bytes

    @property
    def path(self):
        return self.target.partition("?")[0]


class Recorder:
    """A proxy with a port of its own in front of (host, port)."""

    def __init__(self, host, port):
        self.requests = []
        self._target = (host, port)
        self._server = Server((HOST, 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self):
        return f"http://{HOST}:{self._server.server_port}"

    def of(self, method, part=""):
        """The requests of a method in whose target a text occurs."""
        return [each for each in self.requests if each.method == method and part in each.target]

    def _handler(self):
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _forward(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                upstream = HTTPConnection(*recorder._target, timeout=PATIENCE)
                try:
                    # To the letter: http.client must not add a header that the client did not send.
                    upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                    for name, value in self.headers.items():
                        upstream.putheader(name, value)
                    upstream.endheaders(body or None)
                    answer = upstream.getresponse()
                    content = answer.read()
                finally:
                    upstream.close()
                headers = {name.lower(): value for name, value in self.headers.items()}
                recorder.requests.append(
                    Request(self.command, self.path, headers, body, answer.status, content)
                )
                self.send_response_only(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in {"connection", "transfer-encoding", "content-length"}:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                with suppress(ConnectionError):
                    self.end_headers()
                    self.wfile.write(content)

            do_DELETE = do_GET = do_PATCH = do_POST = do_PUT = _forward  # noqa: N815

            def log_message(self, *_):
                pass

        return Handler
