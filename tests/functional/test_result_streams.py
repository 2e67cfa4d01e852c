"""Streams of results as they are deployed: clients that hang up or do not read, objects that go meanwhile."""

import json
from contextlib import ExitStack
from http.client import HTTPConnection, IncompleteRead
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest

from functional.gateway.loopback import Answer
from functional.security.conftest import JOBS, deployed
from patience import PATIENCE
from processes import HOST, wait_until

FOLDER = "run/prediction-model-2026-11-22T10:00:00.123456Z"
ROW = (
    b'{"status":"","response":{"candidates":[{"finishReason":"STOP","content":"%b"}],"usageMetadata":'
    b'{"promptTokenCount":9,"candidatesTokenCount":1}}}\n' % (b"x" * 1_000)
)
SIZE = 10**12
"""More than anybody reads."""
MANY = 40


class Storage(ThreadingHTTPServer):
    """A Cloud Storage with one object, which does not end.

    Attributes:
        rows: Rows after which a download breaks off, and the object is gone; None for never.
        closed: Set when a reader has closed a download.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self):
        super().__init__((HOST, 0), _Handler)
        self.rows, self.closed, self.is_gone = None, Event(), False

    def handle_error(self, *_):
        """Says nothing of readers that hang up."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        storage = self.server
        if not self.path.startswith("/download/"):
            name = f"{FOLDER}/predictions.jsonl"
            info = {"name": name, "generation": "1", "size": str(SIZE), "timeCreated": "2026-11-22T10:00:00Z"}
            return self._send(200, json.dumps({"items": [info]}).encode())
        if storage.is_gone:
            return self._send(404, b"{}")
        self.send_response(200)
        self.send_header("Content-Length", str(SIZE))
        self.end_headers()
        sent = 0
        try:
            while storage.rows is None or sent < storage.rows:
                self.wfile.write(ROW * 100)
                sent += 100
        except OSError:
            storage.closed.set()
        storage.is_gone = storage.rows is not None
        self.close_connection = True
        return None

    def _send(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Is silent."""


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    server = Storage()
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    url = f"http://{HOST}:{server.server_port}"
    folder = tmp_path_factory.mktemp("streams")
    with deployed(folder, STORAGE_EMULATOR_HOST=url, THREADS=str(MANY)) as gateway:
        gateway.upstream.respond = lambda _: Answer(body=json.dumps(job()).encode())
        gateway.post(JOBS, {"model": "publishers/google/models/gemini-2.5-flash"})
        yield gateway, server
    server.shutdown()
    server.server_close()


@pytest.fixture
def gateway(running):
    gateway, storage = running
    storage.rows, storage.is_gone = None, False
    storage.closed.clear()
    gateway.storage = storage
    return gateway


def job():
    return {
        "name": "projects/123/locations/us-central1/batchPredictionJobs/4242",
        "model": "publishers/google/models/gemini-2.5-flash",
        "state": "JOB_STATE_RUNNING",
        "createTime": "2026-11-22T10:00:00Z",
        "outputInfo": {"gcsOutputDirectory": f"gs://out/{FOLDER}"},
        "labels": {"team": "search"},
    }


def begun(gateway, query="", key=None):
    """A connection on which results have been asked for."""
    connection = HTTPConnection(HOST, gateway.port, timeout=PATIENCE)
    bearer = {"Authorization": f"Bearer {key or gateway.master}"}
    connection.request("GET", f"{JOBS}/4242/results{query}", headers=bearer)
    return connection


@pytest.mark.parametrize("query", ["", "?view=usage", "?view=usage&format=csv"])
def test_a_client_that_hangs_up_ends_the_reading(gateway, query):
    connection = begun(gateway, query)
    answer = connection.getresponse()
    assert answer.status == 200
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert answer.read(10_000)
    connection.close()
    answer.close()
    assert gateway.storage.closed.wait(PATIENCE)
    wait_until(lambda: "results.abandoned" in gateway.log() or None, PATIENCE, "it to be logged")


def test_a_client_that_hangs_up_before_there_is_anything_to_send_ends_the_reading(gateway):
    connection = begun(gateway, "?state=malformed")
    connection.close()
    assert gateway.storage.closed.wait(PATIENCE)


def test_a_limit_ends_the_reading_and_the_answer(gateway):
    answer = begun(gateway, "?limit=3").getresponse()
    assert answer.read() == ROW * 3
    assert gateway.storage.closed.wait(PATIENCE)


@pytest.mark.parametrize("query", ["", "?view=usage"])
def test_an_object_that_goes_meanwhile_never_ends_cleanly(gateway, query):
    gateway.storage.rows = 5_000
    answer = begun(gateway, query).getresponse()
    assert answer.status == 200
    with pytest.raises(IncompleteRead):
        answer.read()
    assert "results.broken" in gateway.log()


def test_forty_clients_that_do_not_read_keep_nobody_waiting(gateway):
    with ExitStack() as stack:
        statuses = []
        for _ in range(MANY):
            connection = begun(gateway)
            stack.callback(connection.close)
            answer = connection.getresponse()
            statuses.append(answer.status)
            stack.callback(answer.close)
        assert statuses == [200] * 4 + [429] * (MANY - 4)
        other = begun(gateway, "?limit=1", key=gateway.scoped).getresponse()
        assert other.read() == ROW
        assert gateway.request("GET", f"{JOBS}/4242").status == 200
    # Their slots are free again.
    wait_until(
        lambda: begun(gateway, "?limit=1").getresponse().status == 200 or None, PATIENCE, "a free slot"
    )
