"""The ObjectStore port: the one in memory and Cloud Storage keep the same promises."""

import base64
import os
import subprocess
import tracemalloc
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from google_crc32c import Checksum

from batch_gateway.adapters import storage
from batch_gateway.ports import (
    ObjectChangedError,
    ObjectExistsError,
    ObjectsRefusedError,
    ObjectsUnavailableError,
)

FOLDER = "run/prediction-model-2026-11-22T10:00:00.123456Z"
NAMES = [
    f"{FOLDER}/predictions.jsonl",
    "with space/and  two",
    "größe/東京/🚀.jsonl",
    "100%/a%20b/%2F",
    "plus+and&and=and?and#",
    "a//b",
    "quote'\"`",
    "(paren)[bracket]{brace}~*!,;@$",
]


@pytest.fixture
def prefix(request):
    """A folder of this test's own, since the emulated bucket is shared."""
    return f"{request.node.name.partition('[')[0]}/"


def content(objects, name):
    info = objects.stat(objects.bucket, name)
    return b"".join(objects.read(objects.bucket, name, info.generation))


@pytest.mark.parametrize("name", NAMES)
def test_an_object_of_any_name_is_found_listed_and_read(objects, prefix, name):
    name = prefix + name
    objects.write(name, b"line\nl\xc3\xafne\n")

    info = objects.stat(objects.bucket, name)

    assert (info.name, info.size) == (name, 11)
    assert info in list(objects.list(objects.bucket, name))
    assert content(objects, name) == b"line\nl\xc3\xafne\n"


def test_an_object_says_when_it_was_written_in_utc(objects, prefix):
    objects.write(f"{prefix}x", b"x")

    created = objects.stat(objects.bucket, f"{prefix}x").created

    assert created.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - created) < timedelta(minutes=1)


def test_a_generation_is_an_integer_that_grows(objects, prefix):
    generations = []
    for _ in range(3):
        objects.write(f"{prefix}x", b"x")
        generations.append(objects.stat(objects.bucket, f"{prefix}x").generation)

    assert all(type(generation) is int for generation in generations)
    assert generations == sorted(set(generations))


def test_what_is_not_there_is_none(objects, prefix):
    assert objects.stat(objects.bucket, f"{prefix}nothing") is None
    assert list(objects.list(objects.bucket, f"{prefix}nothing")) == []


def test_a_bucket_that_is_not_there_is_empty(objects):
    assert objects.stat("no-such-bucket", "x") is None
    assert list(objects.list("no-such-bucket", "")) == []
    with pytest.raises(ObjectChangedError):
        b"".join(objects.read("no-such-bucket", "x", 1))


def test_a_deleted_object_is_none_again(objects, prefix):
    objects.write(f"{prefix}x", b"x")
    objects.remove(f"{prefix}x")

    assert objects.stat(objects.bucket, f"{prefix}x") is None


def test_a_listing_has_all_names_that_begin_so_and_no_others(objects, prefix):
    for name in ("a/1", "a/2", "a/b/3", "ab", "b"):
        objects.write(prefix + name, name.encode())

    def listed(start):
        return sorted(info.name.removeprefix(prefix) for info in objects.list(objects.bucket, prefix + start))

    assert listed("a/") == ["a/1", "a/2", "a/b/3"]
    assert listed("a") == ["a/1", "a/2", "a/b/3", "ab"]
    assert listed("") == ["a/1", "a/2", "a/b/3", "ab", "b"]


def test_a_listing_agrees_with_a_look_at_each(objects, prefix):
    for name in ("1", "2"):
        objects.write(prefix + name, name.encode() * 5)

    listed = list(objects.list(objects.bucket, prefix))

    assert listed == [objects.stat(objects.bucket, info.name) for info in listed]


def test_an_empty_object_reads_as_nothing(objects, prefix):
    objects.write(f"{prefix}empty", b"")

    assert objects.stat(objects.bucket, f"{prefix}empty").size == 0
    assert content(objects, f"{prefix}empty") == b""


def test_bytes_come_as_they_are(objects, prefix):
    data = bytes(range(256)) * 5000 + b"\r\n\n"
    objects.write(f"{prefix}binary", data)

    assert content(objects, f"{prefix}binary") == data


def test_a_large_object_comes_in_pieces(objects, prefix, monkeypatch):
    monkeypatch.setattr(storage, "_CHUNK_BYTES", 256 * 1024)
    data = bytes(range(256)) * 4096
    objects.write(f"{prefix}large", data)
    info = objects.stat(objects.bucket, f"{prefix}large")

    pieces = list(objects.read(objects.bucket, f"{prefix}large", info.generation))

    assert len(pieces) > 3
    assert max(map(len, pieces)) <= 256 * 1024
    assert b"".join(pieces) == data


CHANGES = {
    "overwritten": lambda objects, name: objects.write(name, b"new"),
    "overwritten by as much": lambda objects, name: objects.write(name, b"b" * 10),
    "deleted": lambda objects, name: objects.remove(name),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_generation_that_is_gone_cannot_be_read(objects, prefix, change):
    name = prefix + change
    objects.write(name, b"a" * 10)
    info = objects.stat(objects.bucket, name)
    CHANGES[change](objects, name)

    with pytest.raises(ObjectChangedError):
        b"".join(objects.read(objects.bucket, name, info.generation))


@pytest.mark.parametrize("change", ["overwritten", "deleted"])
def test_a_generation_that_goes_while_it_is_read_does_not_come_mixed(
    storage_objects, prefix, monkeypatch, change
):
    monkeypatch.setattr(storage, "_CHUNK_BYTES", 256 * 1024)
    objects, name = storage_objects, prefix + change
    objects.write(name, b"a" * 1024 * 1024)
    info = objects.stat(objects.bucket, name)
    pieces = objects.read(objects.bucket, name, info.generation)
    read = next(pieces)
    if change == "overwritten":
        objects.write(name, b"b" * 1024 * 1024)
    else:
        objects.remove(name)

    # What is already on its way is whole.
    assert read + b"".join(pieces) == b"a" * 1024 * 1024


@pytest.mark.parametrize("start", [0, 1, 11, 999, 1000])
def test_reading_may_begin_at_any_byte(objects, prefix, start):
    data = bytes(range(250)) * 4
    objects.write(f"{prefix}x", data)
    info = objects.stat(objects.bucket, f"{prefix}x")

    assert b"".join(objects.read(objects.bucket, f"{prefix}x", info.generation, start)) == data[start:]


@pytest.mark.parametrize("start", [0, 5])
def test_a_generation_that_is_gone_cannot_be_read_on(objects, prefix, start):
    objects.write(f"{prefix}x", b"a" * 10)
    info = objects.stat(objects.bucket, f"{prefix}x")
    objects.write(f"{prefix}x", b"b" * 10)

    with pytest.raises(ObjectChangedError):
        b"".join(objects.read(objects.bucket, f"{prefix}x", info.generation, start))


# Uploads


def test_a_new_object_is_created_and_an_old_one_not_overwritten(objects, prefix):
    objects.create(objects.bucket, f"{prefix}größe", b"one\n", "application/jsonl")

    with pytest.raises(ObjectExistsError):
        objects.create(objects.bucket, f"{prefix}größe", b"two\n", "application/jsonl")

    assert content(objects, f"{prefix}größe") == b"one\n"


def test_a_session_has_a_url_of_its_own(objects, prefix):
    urls = {objects.begin_upload(objects.bucket, f"{prefix}x", "application/jsonl") for _ in range(2)}

    assert len(urls) == 2
    assert objects.stat(objects.bucket, f"{prefix}x") is None


DATA_TO_SEND = b"".join(b'{"row": %d}\n' % number for number in range(100_000))
STEP = 256 * 1024


def send_at_once(url, _):
    return requests.put(url, DATA_TO_SEND, timeout=60).status_code


def send_in_pieces(url, _):
    """As Google's documentation of resumable uploads has it: multiples of 256 KiB, each answered by 308."""
    for start in range(0, len(DATA_TO_SEND), STEP):
        piece = DATA_TO_SEND[start : start + STEP]
        which = f"bytes {start}-{start + len(piece) - 1}/{len(DATA_TO_SEND)}"
        answer = requests.put(url, piece, headers={"Content-Range": which}, timeout=60)
        if start + len(piece) < len(DATA_TO_SEND):
            assert answer.status_code == 308
            assert answer.headers["Range"] == f"bytes=0-{start + len(piece) - 1}"
    return answer.status_code


def send_with_curl(url, folder):
    (folder / "rows.jsonl").write_bytes(DATA_TO_SEND)
    call = ["curl", "-sS", "--noproxy", "*", "-o", os.devnull, "-w", "%{http_code}", "-T", "rows.jsonl", url]
    return int(subprocess.run(call, cwd=folder, check=True, capture_output=True).stdout)  # noqa: S603 - ours


WAYS = {"at once": send_at_once, "in pieces": send_in_pieces, "with curl": send_with_curl}


@pytest.mark.parametrize("way", WAYS)
def test_any_client_uploads_to_a_session_without_credentials_and_once(storage_objects, prefix, way, tmp_path):
    objects, name = storage_objects, f"{prefix}{way.replace(' ', '-')} ü"
    first, second = (objects.begin_upload(objects.bucket, name, "application/jsonl") for _ in range(2))

    assert WAYS[way](first, tmp_path) == 200
    assert content(objects, name) == DATA_TO_SEND
    assert requests.put(second, b"other\n", timeout=60).status_code == 412

    assert content(objects, name) == DATA_TO_SEND


def test_a_session_says_how_much_has_arrived(storage_objects, prefix):
    url = storage_objects.begin_upload(storage_objects.bucket, f"{prefix}status", "application/jsonl")
    told = []
    for piece, span in ((b"", "*/3"), (b"a", "0-0/3"), (b"", "*/3"), (b"bc", "1-2/3")):
        answer = requests.put(url, piece, headers={"Content-Range": f"bytes {span}"}, timeout=60)
        told.append((answer.status_code, answer.headers.get("Range")))

    assert told == [(308, None), (308, "bytes=0-0"), (308, "bytes=0-0"), (200, None)]
    assert content(storage_objects, f"{prefix}status") == b"abc"


def test_a_bucket_that_is_not_there_takes_no_object(storage_objects):
    with pytest.raises(ObjectsRefusedError):
        storage_objects.create("no-such-bucket", "x", b"x", "application/jsonl")
    with pytest.raises(ObjectsRefusedError):
        storage_objects.begin_upload("no-such-bucket", "x", "application/jsonl")


# Downloads that break off: a server that plays Cloud Storage's media download, badly

DATA = bytes(range(251)) * 40_000  # 10 MB, so that it does not fit into the connection's buffers
GENERATION = 1763827200123456


class BadServer(ThreadingHTTPServer):
    """Answers as `script` says, one entry a request: a status, or the bytes after which to hang up."""

    def __init__(self, script):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script, self.asked = list(script), []
        self.hashes = "crc32c=" + base64.b64encode(Checksum(DATA).digest()).decode() + ",md5=x"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        start = int(self.headers.get("Range", "bytes=0-")[len("bytes=") : -1])
        self.server.asked.append((urlsplit(self.path), start))
        step = self.server.script.pop(0) if self.server.script else len(DATA)
        if isinstance(step, HTTPStatus):
            self.send_response(step)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(HTTPStatus.PARTIAL_CONTENT if start else HTTPStatus.OK)
        self.send_header("Content-Length", str(len(DATA) - start))
        self.send_header("X-Goog-Hash", self.server.hashes)
        self.end_headers()
        self.wfile.write(DATA[start : start + step])
        self.close_connection = True

    def log_message(self, *args):
        """Is silent."""


@pytest.fixture
def download(monkeypatch):
    """Reads DATA from a server that follows a script; gives the pieces and the server."""
    servers = []

    def begin(*script, start=0, hashes=None):
        server = BadServer(script)
        server.hashes = server.hashes if hashes is None else hashes
        servers.append(server)
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setattr(storage, "_BACKOFF_SECONDS", 0.001)
        pieces = storage.CloudStorage("p").read("buc ket", "a/b ü", GENERATION, start)
        return pieces, server

    yield begin
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    "script",
    [
        (),
        (3_000_000, 5, 4_000_000),
        (0, 0, 0, 0, 3_000_000, 0, 0, 0),
        (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS, 7_000_000, HTTPStatus.BAD_GATEWAY),
    ],
)
@pytest.mark.parametrize("start", [0, 1_000_000])
def test_a_download_that_breaks_off_goes_on_where_it_did(download, script, start):
    pieces, server = download(*script, start=start)

    assert b"".join(pieces) == DATA[start:]

    url, _ = server.asked[0]
    assert url.path == "/download/storage/v1/b/buc%20ket/o/a%2Fb%20%C3%BC"
    assert parse_qs(url.query) == {"alt": ["media"], "generation": [str(GENERATION)]}
    offsets = [offset for _, offset in server.asked]
    assert offsets[0] == start
    assert offsets == sorted(offsets)
    assert len(offsets) == len(script) + 1


def test_a_download_that_gets_nowhere_is_given_up(download):
    pieces, server = download(2_000_000, *[0] * 20)

    with pytest.raises(ObjectsUnavailableError):
        b"".join(pieces)

    assert len(server.asked) == 5


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (HTTPStatus.NOT_FOUND, ObjectChangedError),
        (HTTPStatus.FORBIDDEN, ObjectsRefusedError),
        (HTTPStatus.BAD_REQUEST, ObjectsUnavailableError),
    ],
)
@pytest.mark.parametrize("before", [(), (2_000_000,)])
def test_an_answer_that_will_not_change_is_not_asked_for_again(download, before, status, error):
    pieces, server = download(*before, status)

    with pytest.raises(error):
        b"".join(pieces)

    assert len(server.asked) == len(before) + 1


@pytest.mark.parametrize("script", [(), (4_000_000,)])
def test_bytes_that_do_not_have_the_objects_checksum_are_refused(download, script):
    pieces, _ = download(*script, hashes="crc32c=AAAAAA==")

    with pytest.raises(ObjectsUnavailableError, match="checksum"):
        b"".join(pieces)


@pytest.mark.parametrize("hashes", ["", "md5=x"])
def test_an_object_without_a_checksum_is_read(download, hashes):
    pieces, _ = download(hashes=hashes)

    assert b"".join(pieces) == DATA


def test_a_download_does_not_run_ahead_of_its_reader(download):
    pieces, _ = download()

    tracemalloc.start()
    for _ in pieces:
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 6 * storage._CHUNK_BYTES
