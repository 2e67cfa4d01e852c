"""The gateway in memory, on a loopback port, and what it was asked."""

import threading
from collections import Counter

from werkzeug.serving import WSGIRequestHandler, make_server


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_):
        pass


NOWHERE = "/nowhere"
"""Path of an empty page, which the application knows nothing of."""


class Served:
    """Serves an application while it is entered.

    Attributes:
        url: Where.
        asked: Number of requests by path.
        failing: Paths that answer UNAVAILABLE.
    """

    def __init__(self, application=None):
        self.serve(application)
        self._server = make_server("127.0.0.1", 0, self._handle, threaded=True, request_handler=_Quiet)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def serve(self, application):
        """Serves another application from now on, which was not asked for anything yet."""
        self.asked = Counter()
        self.failing = set()
        self._application = application

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def _handle(self, environ, start_response):
        path = environ["PATH_INFO"]
        if path == NOWHERE:
            start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "0")])
            return [b""]
        self.asked[path] += 1
        if path in self.failing:
            start_response("503 Service Unavailable", [("Content-Length", "0")])
            return [b""]
        return self._application(environ, start_response)
