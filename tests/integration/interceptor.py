"""Stands between the functions and the Vertex emulator, and lets a test hold or change an answer.

Without a test's wish every byte goes through as it is. It is how something that takes Google minutes (an
answer that is late, a job that does not name its output yet) is had at one's will instead of by a sleep.
"""

import json
import re
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler

from patience import PATIENCE
from servers import Server

HOST = "127.0.0.1"
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


@dataclass
class Hold:
    """Answers that wait until `release`."""

    reached: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    answers: list = field(default_factory=list)

    def __call__(self, answer):
        self.answers.append(answer)
        self.reached.set()
        self.released.wait(PATIENCE)
        return answer

    def wait(self):
        """Waits for an answer that is held, and returns it."""
        assert self.reached.wait(PATIENCE), "no request came that could be held"
        return self.answers[0]

    def release(self):
        self.released.set()


class Interceptor:
    """A proxy with a port of its own; `target` is the (host, port) that it stands for."""

    def __init__(self):
        self.target = None
        self._rules = []
        self._server = Server((HOST, 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def host(self):
        return f"{HOST}:{self._server.server_port}"

    @contextmanager
    def altered(self, method, path, change):
        """While entered, `change` makes another of each matching answer's JSON; it may take its time."""
        rule = (method, re.compile(path), change)
        self._rules.insert(0, rule)
        try:
            yield
        finally:
            self._rules.remove(rule)

    @contextmanager
    def held(self, method, path):
        """While entered, matching answers wait until the hold is released."""
        hold = Hold()
        with self.altered(method, path, hold):
            try:
                yield hold
            finally:
                hold.release()

    def _change_for(self, method, path):
        rules = list(self._rules)
        return next((change for how, at, change in rules if how == method and at.search(path)), None)

    def _handler(self):
        interceptor = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _forward(self):
                change = interceptor._change_for(self.command, self.path)
                headers = dict(self.headers.items())
                if change:
                    headers["Accept-Encoding"] = "identity"
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                upstream = HTTPConnection(*interceptor.target, timeout=PATIENCE)
                try:
                    upstream.request(self.command, self.path, body or None, headers)
                    answer = upstream.getresponse()
                    content = answer.read()
                finally:
                    upstream.close()
                if change:
                    content = json.dumps(change(json.loads(content))).encode()
                self.send_response_only(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in _HOP_BY_HOP:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                # Whoever waited may have been killed meanwhile.
                with suppress(ConnectionError):
                    self.end_headers()
                    self.wfile.write(content)

            do_DELETE = do_GET = do_PATCH = do_POST = do_PUT = _forward  # noqa: N815

            def log_message(self, *_):
                pass

        return Handler
