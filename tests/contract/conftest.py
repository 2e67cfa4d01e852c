"""The real adapters on real emulators, each started once for the session when first needed."""

import os
import socket
import uuid
from urllib.parse import parse_qs, urlsplit, urlunsplit

import pytest
import requests

from batch_gateway.adapters.firestore import FirestoreStore, connect
from batch_gateway.adapters.firestore.documents import CALL
from batch_gateway.adapters.storage import CloudStorage
from fakes import MemoryObjects, MemoryStore
from firestore_emulator import FirestoreEmulator
from patient_firestore import PATIENT
from processes import free_ports
from storage_emulator import StorageEmulator

NOT_FOUND, PRECONDITION_FAILED = 404, 412


def new_project():
    """Name a project that nobody else has: this module may be loaded more than once."""
    return f"contract-{uuid.uuid4().hex[:12]}"


def firestore_at(host, project=None):
    """A store at an emulator (or at what only looks like one), in a project of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FIRESTORE_EMULATOR_HOST", host)
        return FirestoreStore(connect(project or new_project(), "(default)"))


@pytest.fixture(autouse=True)
def _patience(request, monkeypatch):
    """Leaves the limit on Firestore's calls to the tests of hosts that do not answer."""
    if not {"silent_host", "refusing_host"} & set(request.fixturenames):
        for name, value in PATIENT.items():
            monkeypatch.setitem(CALL, name, value)


@pytest.fixture(scope="session")
def firestore_host(tmp_path_factory):
    log = tmp_path_factory.mktemp("firestore") / "log"
    emulator = FirestoreEmulator(free_ports(1)[0], log)
    if emulator.process:
        emulator.process.start()
        emulator.process.wait_ready()
    yield emulator.host
    if emulator.process:
        emulator.process.stop()


@pytest.fixture(scope="session")
def storage_url(tmp_path_factory):
    log = tmp_path_factory.mktemp("storage") / "log"
    emulator = StorageEmulator(free_ports(1)[0], log, os.environ)
    emulator.process.start()
    emulator.process.wait_ready()
    emulator.create_buckets(["contract"])
    yield emulator.url
    emulator.process.stop()


@pytest.fixture
def firestore(firestore_host):
    return firestore_at(firestore_host)


@pytest.fixture(params=["memory", "firestore"])
def store(request):
    """The Store port, twice."""
    return MemoryStore() if request.param == "memory" else request.getfixturevalue("firestore")


class MemoryBucket(MemoryObjects):
    """MemoryObjects, with `put` and `remove` in one bucket."""

    bucket = "contract"

    def write(self, name, data):
        self.put(self.bucket, name, data)

    def remove(self, name):
        self.delete(self.bucket, name)


def _refusal(like, url, status):
    answer = requests.Response()
    answer.status_code, answer.request, answer.url, answer._content = (
        status,
        like.request,
        url,
        b"No such object",
    )
    return answer


class EmulatedBucket(CloudStorage):
    """CloudStorage on the emulator, likewise.

    The emulator answers whatever generation is asked for with the live one, and doesn't say which that
    is. Cloud Storage says 404 (412 to ifGenerationMatch), or names it in a header: put right here.
    """

    bucket = "contract"

    def __init__(self, project):
        super().__init__(project)
        self._send = self._client._http.request
        self._client._http.request = self._checked

    def _checked(self, method, url, *args, **kwargs):
        parts = urlsplit(url)
        if method != "GET" or not parts.path.startswith("/download/"):
            return self._send(method, url, *args, **kwargs)
        live = self._send(
            "GET", urlunsplit(parts._replace(path=parts.path.removeprefix("/download"), query=""))
        )
        generation = live.json()["generation"] if live.ok else ""
        query = parse_qs(parts.query)
        for name, status in (("generation", NOT_FOUND), ("ifGenerationMatch", PRECONDITION_FAILED)):
            if query.get(name, [generation]) != [generation]:
                return _refusal(live, url, status)
        answer = self._send(method, url, *args, **kwargs)
        answer.headers["X-Goog-Generation"] = generation
        return answer

    def write(self, name, data):
        self._client.bucket(self.bucket).blob(name).upload_from_string(data)

    def remove(self, name):
        self._client.bucket(self.bucket).blob(name).delete()


@pytest.fixture
def storage_objects(storage_url):
    """The ObjectStore port on the emulator."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", storage_url)
        return EmulatedBucket("contract")


@pytest.fixture(params=["memory", "storage"])
def objects(request):
    """The ObjectStore port, twice."""
    return MemoryBucket() if request.param == "memory" else request.getfixturevalue("storage_objects")


@pytest.fixture(scope="session")
def silent_host():
    """A host that takes connections and never says anything."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture(scope="session")
def refusing_host():
    """A host that refuses connections."""
    return f"127.0.0.1:{free_ports(1)[0]}"
