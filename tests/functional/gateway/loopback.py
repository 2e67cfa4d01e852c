"""A tiny HTTP server that answers as a test tells it, and remembers what it was asked, to the byte."""

import json
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler
from typing import NamedTuple

from servers import Server

_CREATE = re.compile(r"/v1(?:beta1)?/projects/[^/]+/locations/([^/]+)/batchPredictionJobs(?:\?.*)?")
JSON = "application/json; charset=UTF-8"


class Seen(NamedTuple):
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name):
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        return found[0] if found else None


class Answer(NamedTuple):
    """An answer; a raw one is its body, to the byte, and the end of the connection."""

    status: int = 200
    body: bytes = b"{}"
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    raw: bool = False


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.server.loopback.connections += 1

    def _serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        seen = Seen(self.command, self.path, list(self.headers.items()), body)
        answer = self.server.loopback.take(seen)
        if answer.raw:
            self.wfile.write(answer.body)
            self.close_connection = True
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _serve  # noqa: N815 - the base class's names

    def log_message(self, *_):
        pass


class _Server(Server):
    def handle_error(self, *_):
        """Says nothing of clients that did not wait."""


def _usual(seen):
    create = _CREATE.fullmatch(seen.target)
    if seen.method != "POST" or not create:
        return Answer()
    name = f"projects/123456789012/locations/{create[1]}/batchPredictionJobs/4242"
    return Answer(body=json.dumps({"name": name}).encode())


class Loopback:
    """Answers with `answers` in turn, with the last one again and again, or with what `respond` returns.

    Without any, a create is answered with a job, and everything else with an empty object.
    """

    def __init__(self):
        self.seen = []
        self.connections = 0
        self.answers = []
        self.respond = None
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.loopback = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def host(self):
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def url(self):
        return f"http://{self.host}"

    def take(self, seen):
        with self._lock:
            self.seen.append(seen)
            if self.respond is None and not self.answers:
                return _usual(seen)
            if self.respond is None:
                return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return self.respond(seen)

    def reset(self):
        with self._lock:
            self.seen.clear()
            self.connections = 0
            self.answers = []
            self.respond = None


def closed_port():
    """A port of 127.0.0.1 that refuses connections."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
