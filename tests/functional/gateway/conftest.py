"""The gateway in memory, in front of a Vertex emulator (`world`) or of a scripted server (`scripted`)."""

import dataclasses
import json
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import flask
import pytest
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule

from batch_gateway.adapters import vertex as vertex_adapter
from batch_gateway.adapters.vertex import Vertex
from batch_gateway.core.jobs.record import JobKey
from batch_gateway.core.pricing import prices
from batch_gateway.current_prices import CurrentPrices
from batch_gateway.gateway.app import Gateway
from batch_gateway.gateway.deps import GatewayDeps
from batch_gateway.notify.delivery import NotifyDeps
from batch_gateway.notify.endpoints import KeyEndpoints
from batch_gateway.ports import StoreUnavailableError
from batch_gateway.settings import Alias, Settings
from batch_gateway.settlement import settle as settlement
from batch_gateway.settlement.deps import SettlementDeps
from builders import input_files, output_folder, prompt
from fakes import MemoryBilling, MemoryKeys, MemoryObjects, MemoryPrices, MemoryStore
from functional.gateway.loopback import Answer, Loopback
from vertex_emulator import VertexEmulator
from vertex_emulator.storage import split_uri

KEY = "sk-a-key-of-the-administrator"
PROJECT = "acme-batch"
NUMBER = "123456789012"
PARENT = f"projects/{PROJECT}/locations/us-central1"
JOBS = f"/v1/{PARENT}/batchPredictionJobs"
FLASH = "publishers/google/models/gemini-2.5-flash"
FULL_FLASH = f"{PARENT}/{FLASH}"


_compile = Rule.compile
_COMPILED = ("_build", "_build_unknown", "_converters", "_parts", "_trace", "arguments")


def _compile_once(rule, *, once={}):  # noqa: B006 - a cache
    """Compile a rule of URLs once for all tests: most of what it takes to make a gateway."""
    of = (rule.rule, rule.merge_slashes, rule.strict_slashes, *sorted((rule.defaults or {}).items()))
    if of not in once:
        _compile(rule)
        once[of] = {name: getattr(rule, name) for name in _COMPILED}
    vars(rule).update(once[of])


Rule.compile = _compile_once


class FlakyStore(MemoryStore):
    """A MemoryStore of which single methods may fail (`failing`), and which notes its calls (`calls`)."""

    def __init__(self):
        super().__init__()
        self.failing = set()
        self.calls = []

    def __getattribute__(self, name):
        found = super().__getattribute__(name)
        if name.startswith("_") or not callable(found):
            return found

        def call(*args, **kwargs):
            self.calls.append(name)
            if name in self.failing:
                raise StoreUnavailableError("told to fail")
            return found(*args, **kwargs)

        return call


def no_tables():
    pytest.fail("no job here writes to BigQuery")


class MemoryStorage:
    """Cloud Storage as the Vertex emulator needs it, on MemoryObjects."""

    def __init__(self, objects):
        self._objects = objects

    def check_bucket(self, uri):
        pass

    def read_lines(self, uris):
        return [line for uri in uris for line in self._content(uri).splitlines() if line.strip()]

    def write_lines(self, uri, lines):
        self._objects.put(*split_uri(uri), b"".join(line + b"\n" for line in lines))

    def _content(self, uri):
        bucket, name = split_uri(uri)
        info = self._objects.stat(bucket, name)
        return b"".join(self._objects.read(bucket, name, info.generation))


def settings_for(host, **changes):
    served = {(PROJECT, "us-central1"): None, (PROJECT, "europe-west4"): None, (PROJECT, "global"): None}
    given = {
        "project": PROJECT,
        "master_key": KEY,
        "served": served,
        "aliases": (Alias("gemini-2.5-flash", PROJECT, "us-central1", FULL_FLASH),),
        "vertex_emulator": host,
    }
    return Settings(**{**given, **changes})


class World:
    """A gateway, what it stands on, and the calls that tests make over and over."""

    def __init__(self, host, store=None, objects=None, **changes):
        self.host = host
        self.settings = settings_for(host, **changes)
        self.store = store or FlakyStore()
        self.objects = objects or MemoryObjects()
        self.keys = MemoryKeys()
        self.upstream = Vertex(self.settings.served, host)
        self.identities = {}
        self.billing = MemoryBilling()
        self.price_store = MemoryPrices()
        self._current = []
        self._prices = prices.load()
        self.tables = no_tables
        self.clock, self.skipped = None, 0
        self.client = self.new_client()

    def new_client(self, upstream=None):
        """A client of another instance of the gateway, on the same books."""
        upstream = upstream or self.upstream
        deps = GatewayDeps(
            settings=self.settings,
            store=self.store,
            keys=self.keys,
            audit=self.keys,
            upstream=upstream,
            objects=lambda: self.objects,
            billing=lambda: self.billing,
            settlement=lambda: dataclasses.replace(self.settlement, upstream=upstream),
            prices=self.new_prices(),
            identity=lambda *asked: self.identity(*asked),  # noqa: PLW0108 - tests replace it
            now=self.now,
            clock=lambda: self.clock() if self.clock else time.monotonic() + self.skipped,
        )
        return served(Gateway(deps)).test_client()

    def new_prices(self):
        """The prices in force, as another instance has them."""
        current = CurrentPrices(lambda: self._prices, {}, lambda: self.price_store, time.monotonic)
        self._current.append(current)
        return current

    @property
    def prices(self):
        """The price table that is shipped."""
        return self._prices

    @prices.setter
    def prices(self, table):
        """Ships another table to all instances."""
        self._prices = table
        for current in self._current:
            current._good_until = float("-inf")

    def now(self):
        """The time: the clock's, if a test has set one."""
        return self.clock.now() if self.clock else datetime.now(UTC) + timedelta(seconds=self.skipped)

    def identity(self, token, account, audience, checked):  # noqa: ARG002 - the port's
        """Return True if a token is an account's, for an audience."""
        return self.identities.get((token, audience)) == account

    def notify(self):
        """Return a notifier that sends events to nobody."""
        return NotifyDeps(
            outbox=self.store,
            endpoints=KeyEndpoints(self.keys),
            receivers=None,
            topic=None,
            clock=time.monotonic,
            now=self.now,
        )

    @property
    def settlement(self):
        """Return settlement's dependencies."""
        return SettlementDeps(
            store=self.store,
            objects=self.objects,
            upstream=self.upstream,
            prices=self.new_prices(),
            tables=lambda: self.tables(),  # noqa: PLW0108 - same
            keys=self.keys,
            notify=self.notify,
            budget_action="nothing",
            clock=time.monotonic,
            now=self.now,
        )

    def call(self, method, path, *, key=KEY, client=None, headers=(), **given):
        sent = dict(headers)
        if key is not None:
            sent["Authorization"] = f"Bearer {key}"
        return (client or self.client).open(path, method=method, headers=sent, **given)

    def get(self, path, **given):
        return self.call("GET", path, **given)

    def create(self, body=None, **given):
        raw = body if isinstance(body, bytes) else json.dumps(body or job_body()).encode()
        return self.call("POST", given.pop("path", JOBS), data=raw, **given)

    def created(self, body=None):
        answer = self.create(body)
        assert answer.status_code == 200, answer.data
        return answer.json

    def record(self, job):
        return self.store._jobs.get(JobKey(PROJECT, "us-central1", job_id(job)))

    def settle(self, uri, now=None):
        now = now or datetime.now(UTC)
        return settlement.settle(*split_uri(uri), now, now, self.settlement)


def served(gateway):
    """A gateway as a Flask application, as functions-framework serves it."""
    app = flask.Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = False
    app.gateway = gateway
    methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

    @app.errorhandler(HTTPException)
    @app.route("/", defaults={"path": ""}, methods=methods)
    @app.route("/<path:path>", methods=methods)
    def handle(path):  # noqa: ARG001 - the gateway has routes of its own
        return gateway.handle(flask.request)

    return app


def job_id(job):
    return job["name"].rpartition("/")[2]


def cost(world, job, **given):
    answer = world.get(f"{path_of(job)}/cost", **given)
    assert answer.status_code == 200, answer.data
    return answer.json


def path_of(job):
    """The path of a job with the project's id, as its creator writes it."""
    return f"{JOBS}/{job_id(job)}"


def job_body(**changes):
    return {
        "displayName": "nightly",
        "model": FLASH,
        "inputConfig": input_files("gs://in/rows.jsonl"),
        "outputConfig": output_folder("gs://out/run"),
        **changes,
    }


def job_resource(**changes):
    """A job as Vertex AI answers it."""
    return {
        "name": f"projects/{NUMBER}/locations/us-central1/batchPredictionJobs/4242",
        **job_body(),
        "state": "JOB_STATE_PENDING",
        "createTime": "2026-11-22T10:00:00.000001Z",
        "updateTime": "2026-11-22T10:00:00.000001Z",
        **changes,
    }


def json_answer(value, status=200, **given):
    return Answer(status, json.dumps(value).encode(), **given)


def error_info(answer):
    """The ErrorInfo of an error of ours, its envelope checked."""
    error = answer.json["error"]
    assert error["code"] == answer.status_code
    (info,) = error["details"]
    assert info["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
    assert info["domain"] == "batch-gateway"
    return info


def reason(answer):
    return error_info(answer)["reason"]


@pytest.fixture
def pauses(monkeypatch):
    """The pauses between retries, which are noted and left out."""
    noted = []
    monkeypatch.setattr(vertex_adapter, "time", SimpleNamespace(sleep=noted.append))
    return noted


def new_emulator():
    """A Vertex emulator that works when it is told to, on files that a world holds."""
    return VertexEmulator(
        storage_endpoint="http://127.0.0.1:9", auto=False, project_numbers={PROJECT: NUMBER}
    )


@pytest.fixture(scope="module")
def emulator():
    with new_emulator() as running:
        yield running


@pytest.fixture
def vertex(emulator):
    """The Vertex emulator, with its memory of earlier tests gone."""
    emulator.requests.clear()
    emulator.faults.clear()
    emulator._store._jobs.clear()
    return emulator


@pytest.fixture
def world(vertex):
    made = World(vertex.host)
    vertex._lifecycle._storage = MemoryStorage(made.objects)
    rows = [prompt("a"), prompt("b"), prompt("c", fail=True), prompt("d")]
    made.objects.put("in", "rows.jsonl", "\n".join(map(json.dumps, rows)).encode())
    return made


@pytest.fixture(scope="module")
def loopback_server():
    with Loopback() as running:
        yield running


@pytest.fixture
def loopback(loopback_server):
    loopback_server.reset()
    return loopback_server


@pytest.fixture
def scripted(loopback):
    """A gateway in front of `loopback`."""
    return World(loopback.host)
